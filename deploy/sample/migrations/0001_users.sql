CREATE TYPE user_role AS ENUM ('owner', 'staff', 'customer');

CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email text NOT NULL,
    role user_role NOT NULL DEFAULT 'customer',
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE UNIQUE INDEX users_email_key ON users (lower(email));

INSERT INTO users (email, role) VALUES ('owner@example.com', 'owner'), ('first@example.com', 'customer');
