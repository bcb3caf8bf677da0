-- Reads Prosody configuration as Prosody does and prints it as JSON: host -> option -> value.
-- Run as `lua5.4 - ROOT FILE ... [-- ROOT FILE ...]`; one object per group of files.  ROOT stands
-- before the path of a file that is included.  A configuration sees no more than pure functions
-- and ends after a count of instructions; values of secrets are never printed.

local SECRET = "(secret)"
local STEPS = 50000000
local pure = {
    string = string, table = table, math = math, pairs = pairs, ipairs = ipairs, type = type,
    tostring = tostring, tonumber = tonumber, select = select, next = next,
    os = { time = os.time, date = os.date, getenv = function() end },
}

local function is_secret(name)
    local lowered = tostring(name):lower()
    return lowered:match("password$") or lowered:match("secret$")
end

local function quoted(text)
    return '"' .. text:gsub('[%c"\\]', function(char)
        return ("\\u%04x"):format(char:byte())
    end) .. '"'
end

local encode

local function encode_table(value)
    local parts, keys = {}, {}
    for key in pairs(value) do keys[#keys + 1] = key end
    if #keys == #value then
        for _, item in ipairs(value) do parts[#parts + 1] = encode(item) end
        return "[" .. table.concat(parts, ",") .. "]"
    end
    table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
    for _, key in ipairs(keys) do
        local item = value[key]
        if type(item) == "string" and is_secret(key) then item = SECRET end
        parts[#parts + 1] = quoted(tostring(key)) .. ":" .. encode(item)
    end
    return "{" .. table.concat(parts, ",") .. "}"
end

function encode(value)
    local kind = type(value)
    if kind == "table" then return encode_table(value) end
    if kind == "number" or kind == "boolean" then return tostring(value) end
    return quoted(tostring(value))
end

local function set(config, host, name, value)
    config[host] = config[host] or {}
    config[host][name] = value
end

-- Functions of Prosody's that read a file give its name instead: the content may be a secret.
local function named(name)
    return function(path) return name .. "(" .. tostring(path) .. ")" end
end

local read

local function environment(config, root)
    local current = "*"
    local env = {}
    local function enter(host, kind)
        assert(type(host) == "string", "the name of a host must be text")
        current = host:lower()
        set(config, current, "(kind)", kind)
        local function continue(more)
            if type(more) == "string" then
                set(config, current, "(kind)", kind .. " " .. more)
            else
                for name, value in pairs(more or {}) do set(config, current, name, value) end
            end
            return continue
        end
        return continue
    end
    function env.VirtualHost(host) return enter(host, "VirtualHost") end
    function env.Component(host) return enter(host, "Component") end
    function env.Include(path)
        -- A pattern is conf.d: which files that means is the caller's choice.
        if not path:find("[*?]") then read(config, root, root .. path) end
    end
    env.include, env.Host, env.RunScript = env.Include, env.VirtualHost, function() end
    for _, name in ipairs { "FileContents", "FileLine", "FileLines", "Credential" } do
        env[name] = named(name)
    end
    return setmetatable({}, {
        __index = function(_, name) return env[name] or pure[name] end,
        __newindex = function(_, name, value) set(config, current, name, value) end,
    })
end

function read(config, root, path)
    local chunk = assert(loadfile(path, "t", environment(config, root)))
    chunk()
end

debug.sethook(function() error("the configuration does not come to an end") end, "", STEPS)
local config, root = {}, nil
for _, word in ipairs(arg) do
    if word == "--" then
        print(encode(config))
        config, root = {}, nil
    elseif not root then
        root = word
    else
        read(config, root, word)
    end
end
print(encode(config))
