#include "common/hash.h"
#include "tests/support/test.h"

static const char EMPTY[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
static const char ABC[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

static void known_digests(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    unsigned char digest[32];
    char text[65];
    assert_true(sha256_bytes("", 0, digest, &error));
    hex_encode(digest, 32, text);
    assert_string_equal(text, EMPTY);
    assert_true(sha256_bytes("abc", 3, digest, &error));
    hex_encode(digest, 32, text);
    assert_string_equal(text, ABC);
}

static void pieces_digest_as_the_whole(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    unsigned char digest[32];
    char text[65];
    Sha256 *hash = sha256_new(&error);
    sha256_update(hash, "a", 1);
    sha256_update(hash, NULL, 0);
    sha256_update(hash, "bc", 2);
    assert_true(sha256_final(hash, digest, &error));
    hex_encode(digest, 32, text);
    assert_string_equal(text, ABC);
    assert_false(sha256_final(hash, digest, &error));
    assert_int_equal(error.code, ERROR_SYSTEM);
    sha256_free(hash);
    sha256_free(NULL);
}

static void hex_is_lower_case(void **state)
{
    (void)state;
    char text[9];
    hex_encode((const unsigned char *)"\x00\x7f\xab\xff", 4, text);
    assert_string_equal(text, "007fabff");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_digests),
        cmocka_unit_test(pieces_digest_as_the_whole),
        cmocka_unit_test(hex_is_lower_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
