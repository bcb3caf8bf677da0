-- Reads Prosody configuration as Prosody does and prints it as JSON: host -> option -> value.
-- Run as `lua5.4 - ROOT FILE ... [-- ROOT FILE ...]`; one object per group of files.  ROOT is the
-- prefix of the path of an included file.  A configuration can call only pure functions and is
-- stopped after a number of instructions; values of secrets are never printed.

local SECRET = "(secret)"
local STEPS = 50000000
local pure = {
    string = string, table = table, math = math, pairs = pairs, ipairs = ipairs, type = type,
    tostring = tostring, tonumber = tonumber, select = select, next = next, pcall = pcall,
    assert = assert, error = error, unpack = table.unpack,
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
    if kind == "table" and getmetatable(value) then return quoted(tostring(value)) end
    if kind == "table" then return encode_table(value) end
    if kind == "number" and (value ~= value or value == math.huge or value == -math.huge) then
        return quoted(tostring(value))
    end
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

-- A module is not loaded: whatever is taken from it, called or not, is its name.
local function module(name)
    return setmetatable({}, {
        __index = function(_, key) return module(name .. "." .. tostring(key)) end,
        __call = function(_, argument)
            return name .. "(" .. (argument == nil and "" or tostring(argument)) .. ")"
        end,
        __tostring = function() return name end,
    })
end

-- Prosody takes a relative path as relative to the folder of its main file.
local function absolute(path, folder)
    return path:sub(1, 1) == "/" and path or folder .. path
end

local read

local function environment(config, root, folder)
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
        if not path:find("[*?]") then read(config, root, root .. absolute(path, folder), folder) end
    end
    env.include, env.Host, env.RunScript = env.Include, env.VirtualHost, function() end
    function env.require(name) return module("require(" .. tostring(name) .. ")") end
    for _, name in ipairs { "FileContents", "FileLine", "FileLines", "Credential" } do
        env[name] = named(name)
    end
    return setmetatable({}, {
        __index = function(_, name) return env[name] or pure[name] end,
        __newindex = function(_, name, value) set(config, current, name, value) end,
    })
end

function read(config, root, path, folder)
    folder = folder or path:sub(#root + 1):match("^(.*/)") or ""
    local chunk = assert(loadfile(path, "t", environment(config, root, folder)))
    chunk()
end

-- Not an error: a configuration could catch that.
debug.sethook(function()
    io.stderr:write("lua5.4: the configuration does not come to an end\n")
    os.exit(1)
end, "", STEPS)
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
