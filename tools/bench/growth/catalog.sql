-- Before the orders: products with stock for all of them, and a customer for every fourth order.
SET jit = off;

INSERT INTO products (sku, name, price_minor, currency)
SELECT 'item-' || lpad(n::text, 3, '0'), 'Item ' || n, 500 + n * 25, 'EUR'
FROM generate_series(0, 199) AS n;

INSERT INTO stock (sku) SELECT sku FROM products WHERE sku LIKE 'item-%';

INSERT INTO stock_movements (sku, delta, kind, reason, actor)
SELECT sku, 10000000, 'adjusted', 'seed', 'seed' FROM products WHERE sku LIKE 'item-%';

INSERT INTO customers (id, email, name)
SELECT 'cus_0' || left(md5('customer' || n), 25), format('customer-%s@example.com', n), 'Customer ' || n
FROM generate_series(0, current_setting('seed.orders')::bigint / 4) AS n;
