-- Whether an order's workflow has heard an answer is asked for each callback; few rows are in here.
CREATE INDEX inbox_delivered ON inbox (order_id) WHERE outcome = 'delivered';
