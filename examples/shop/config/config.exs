import Config

config :shop,
  # How many of each item a branch has when it opens.
  stock: [apples: 5, pears: 3],
  prices: [apples: 3, pears: 5],
  # Milliseconds: an order that is not paid by then is cancelled.
  payment_timeout: 120,
  # Milliseconds: the bank answers within this time, give or take.
  bank_delay: 150,
  # Payments above this are declined.
  bank_limit: 14

config :logger, level: :info
