-- +goose NO TRANSACTION
/* a /* b */ */ VACUUM