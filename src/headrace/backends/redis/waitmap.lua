-- Says where a run is, unless something newer is known. An entry is "VERSION STATE REST".
-- KEYS[1]: the run. ARGV: version, state, rest; PX or PXAT, and its number.
local known = redis.call('GET', KEYS[1])
if known then
    local version, state, rest = string.match(known, '^(%d+) (%a+) ?(.*)$')
    version = tonumber(version)
    local mine = tonumber(ARGV[1])
    if version and version > mine then
        return 0
    end
    if version == mine and ARGV[2] == 'live' then
        if state ~= 'live' or tonumber(rest) >= tonumber(ARGV[3]) then
            return 0
        end
    end
end
local entry = ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. ARGV[3]
local done = redis.pcall('SET', KEYS[1], entry, ARGV[4], ARGV[5])
if done.err then
    -- No memory left: what cannot be replaced is wrong by now, and nothing is better than that.
    redis.call('DEL', KEYS[1])
    return done
end
return 1
