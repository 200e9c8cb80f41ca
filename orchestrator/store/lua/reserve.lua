-- Keeps what a request to a model may take from being spent otherwise, before the request is made.
-- ARGV: 6 fence, 7 mark, 8 tokens, 9 cost in nanodollars
-- What is still reserved for the request before was for an answer that is lost.
local refusal = refuse(ARGV[OWN + 1], ARGV[OWN + 2], 'mark:reserve')
if refusal then return { refusal } end
lose_reservation()
redis.call('HSET', RUN, 'reserved_tokens', ARGV[OWN + 3], 'reserved_cost', ARGV[OWN + 4])
touch()
return { 'done' }
