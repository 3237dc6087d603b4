#include "common/manual.h"
#include "coordinator/cli/command.h"
#include "tests/support/test.h"
#include "worker/worker_options.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Text inside a page is never taken for a request: what begins with a dot is one of ours. */
static void check_requests(const char *page)
{
    static const char *const REQUESTS[] = {".TH ", ".SH ", ".SS ", ".TP\n", ".B ", ".EX\n", ".EE\n"};
    for (const char *line = page; line != NULL && *line != '\0';
         line = (line = strchr(line, '\n')) != NULL ? line + 1 : NULL) {
        assert_int_not_equal(*line, '\'');
        bool known = *line != '.';
        for (size_t i = 0; !known && i < sizeof REQUESTS / sizeof REQUESTS[0]; i++)
            known = strncmp(line, REQUESTS[i], strlen(REQUESTS[i])) == 0;
        assert_true(known);
    }
}

/* "--dry-run" as roff spells it. */
static void check_option(const char *page, const char *name)
{
    char spelled[256] = "\\-\\-";
    size_t length = strlen(spelled);
    for (; *name != '\0'; name++) {
        if (*name == '-')
            spelled[length++] = '\\';
        spelled[length++] = *name;
    }
    spelled[length] = '\0';
    assert_non_null(strstr(page, spelled));
}

static void every_option_of_every_command_is_in_its_page(void **state)
{
    (void)state;
    for (size_t i = 0; i < COMMANDS.count; i++) {
        const Command *command = &COMMANDS.commands[i];
        char *page = command_manual(command);
        assert_non_null(page);
        check_requests(page);
        OptionGroup groups[COMMAND_GROUPS_MAX + 1];
        size_t count = command_groups(command, groups);
        for (size_t g = 0; g < count; g++)
            for (size_t k = 0; k < groups[g].count; k++)
                check_option(page, groups[g].options[k].name);
        for (const ExitCode *exits = command->exits; exits->code >= 0; exits++) {
            char term[32];
            snprintf(term, sizeof term, ".TP\n.B %d\n", exits->code);
            assert_non_null(strstr(page, term));
        }
        free(page);
    }
}

static void the_overview_knows_every_command_and_its_page(void **state)
{
    (void)state;
    char *page = command_manual_overview(&COMMANDS);
    check_requests(page);
    assert_non_null(strstr(page, ".B tenant:create\n"));
    assert_non_null(strstr(page, "pgconvoy\\-tenant\\-create(1)"));
    free(page);
    page = worker_options_manual();
    check_requests(page);
    check_option(page, "coordinator");
    free(page);
}

static void every_setting_is_in_the_configuration_s_page(void **state)
{
    (void)state;
    char *page = manual_config();
    check_requests(page);
    for (int id = 0; id < SETTING_COUNT; id++) {
        char term[128];
        snprintf(term, sizeof term, ".TP\n.B %s\n", setting_get((SettingId)id)->path);
        assert_non_null(strstr(page, term));
    }
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_of_every_command_is_in_its_page),
        cmocka_unit_test(the_overview_knows_every_command_and_its_page),
        cmocka_unit_test(every_setting_is_in_the_configuration_s_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
