-- Each bucket (KEYS) is the microsecond, by this server's clock, at which it is full again. Put it back by ARGV and
-- answer how far ahead it is now. One that is full need not exist.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local ahead = {}
for place, key in ipairs(KEYS) do
    local full_at = math.max(now, tonumber(redis.call('GET', key) or '0'))
    local taken = tonumber(ARGV[place])
    if taken > 0 then
        full_at = full_at + taken
        redis.call('SET', key, string.format('%.0f', full_at), 'PX', math.ceil((full_at - now) / 1000))
    end
    ahead[place] = full_at - now
end
return ahead
