SET lock_timeout = 5;
SELECT set_config('statement_timeout', '1s', true);
CREATE TABLE a (x int);
