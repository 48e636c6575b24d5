-- For wrk: GET requests, every tenth of them on a connection that is closed behind it, at a given rate.
-- usage: wrk -t1 -s paced.lua … URL -- RATE STOP
--   RATE  requests a second, by a schedule: late ones are made up for; 0: as fast as can be
--   STOP  a file: once it is there, no request is begun any more
-- At the end one line of JSON says what became of the requests. Nothing is tried again.
local ffi = require("ffi")
ffi.cdef([[
  struct moment { long seconds; long nanoseconds; };
  int clock_gettime(int clock, struct moment *now);
  int access(const char *path, int mode);
]])

local MONOTONIC = 1
local LOOK_MS = 100
local FOREVER_MS = 24 * 3600 * 1000
local FRESH_EVERY = 10

local moment = ffi.new("struct moment")
local threads = {}

local function now_ms()
  ffi.C.clock_gettime(MONOTONIC, moment)
  return tonumber(moment.seconds) * 1e3 + tonumber(moment.nanoseconds) / 1e6
end

function setup(thread)
  threads[#threads + 1] = thread
end

function init(arguments)
  local rate, stop = tonumber(arguments[1]), arguments[2]
  local closing = { Connection = "close" }
  for name, value in pairs(wrk.headers) do closing[name] = value end
  kept, fresh = wrk.format("GET"), wrk.format("GET", nil, closing)
  sent = -1 -- wrk looks at one request that it does not send
  begun_ms = now_ms()
  last_ms = begun_ms
  if rate > 0 then delay = schedule(rate, stop) end
end

function schedule(rate, stop)
  local due_ms, look_ms, is_over = begun_ms, begun_ms, false
  return function()
    local now = now_ms()
    if now >= look_ms then
      look_ms = now + LOOK_MS
      is_over = is_over or ffi.C.access(stop, 0) == 0
    end
    if is_over then return FOREVER_MS end
    due_ms = due_ms + 1000 / rate
    return math.max(0, due_ms - now)
  end
end

function request()
  sent = sent + 1
  last_ms = now_ms()
  return sent % FRESH_EVERY == 0 and fresh or kept
end

function done(summary, latency)
  local thread = threads[1]
  local errors = summary.errors
  print(string.format(
    '{"sent":%d,"answered":%d,"seconds":%.3f,"connect":%d,"read":%d,"write":%d,"status":%d,"late":%d,"p50Ms":%.3f,"p99Ms":%.3f,"maxMs":%.3f}',
    thread:get("sent"), summary.requests, (thread:get("last_ms") - thread:get("begun_ms")) / 1e3,
    errors.connect, errors.read, errors.write, errors.status, errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
