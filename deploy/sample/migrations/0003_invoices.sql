CREATE TABLE invoices (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id bigint NOT NULL REFERENCES orders (id),
    total_cents bigint NOT NULL,
    issued_on date NOT NULL DEFAULT current_date
);

CREATE UNIQUE INDEX invoices_order_id_key ON invoices (order_id);

INSERT INTO invoices (order_id, total_cents)
SELECT order_id, sum(quantity * unit_cents) FROM order_lines GROUP BY order_id;
