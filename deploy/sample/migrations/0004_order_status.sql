-- A new column in three steps: add, fill for the rows that exist, then require.
ALTER TABLE orders ADD COLUMN status text;

UPDATE orders SET status = CASE WHEN shipped_at IS NULL THEN 'placed' ELSE 'shipped' END;

ALTER TABLE orders
    ALTER COLUMN status SET NOT NULL,
    ALTER COLUMN status SET DEFAULT 'placed',
    ADD CONSTRAINT orders_status_check CHECK (status IN ('placed', 'paid', 'shipped', 'cancelled'));
