CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users (id),
    placed_at timestamptz NOT NULL DEFAULT now(),
    shipped_at timestamptz
);

CREATE TABLE order_lines (
    order_id bigint NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    line int NOT NULL,
    product text NOT NULL,
    quantity int NOT NULL,
    unit_cents bigint NOT NULL,
    PRIMARY KEY (order_id, line)
);

CREATE INDEX orders_user_id_idx ON orders (user_id);

INSERT INTO orders (user_id, shipped_at) SELECT id, now() FROM users WHERE role = 'customer';
INSERT INTO order_lines (order_id, line, product, quantity, unit_cents) SELECT id, 1, 'tea', 2, 450 FROM orders;
