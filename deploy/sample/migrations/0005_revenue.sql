CREATE INDEX invoices_issued_on_idx ON invoices (issued_on);

CREATE VIEW monthly_revenue AS
SELECT date_trunc('month', i.issued_on) AS month, count(*) AS invoices, sum(i.total_cents) AS total_cents
FROM invoices i
JOIN orders o ON o.id = i.order_id
WHERE o.status <> 'cancelled'
GROUP BY 1;
