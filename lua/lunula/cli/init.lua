--- The command line: finds the command, runs it, and turns errors into one
-- line and an exit status: 0 it is done, 1 it failed, 2 wrong usage, 130
-- interrupted. Results go to standard output, all else to standard error.
-- @module lunula.cli

local arguments = require "lunula.cli.arguments"
local output = require "lunula.cli.output"

local cli = {}

local DONE, FAILED, MISUSED, INTERRUPTED = 0, 1, 2, 130

local COMMANDS = { "fetch", "audit", "refine", "split", "pretrain", "train",
  "distil", "evaluate", "compare", "report", "card", "predict", "explain",
  "tokenize", "quantize", "sweep", "active", "bench" }

local function is_command(name)
  for _, known in ipairs(COMMANDS) do
    if known == name then return true end
  end
  return false
end

local function load_command(name)
  if is_command(name) then return require("lunula.cli." .. name) end
  arguments.wrong("unknown command '%s'; do you mean %s?", name,
    arguments.closest(name, COMMANDS))
end

-- A command of two words, as `bench train`, which its first word names among
-- its variants, or of an option that makes another of it wherever it stands, as
-- `audit --since LOG`; and the words that are left for it.
local function variant(command, words)
  for i = 2, #words do
    local word, value = words[i]:match "^(%-%-[^=]+)=(.*)$"
    word = word or words[i]
    local may_be = i == 2 or word:sub(1, 2) == "--"
    local name = may_be and (command.variants or {})[word]
    if name then
      local rest = { words[1] .. " " .. word }
      for j = 2, #words do
        rest[#rest + 1] = j == i and value or j ~= i and words[j] or nil
      end
      return require("lunula.cli." .. name), rest
    end
  end
  return command, words
end

local function general_help()
  local lines = { "usage: lunula COMMAND ...", "",
    "Small encoders, fine-tuned on your own data.", "" }
  for _, name in ipairs(COMMANDS) do
    lines[#lines + 1] = ("  %-10s %s"):format(name,
      load_command(name).summary)
  end
  lines[#lines + 1] = ""
  lines[#lines + 1] = "lunula COMMAND --help says more of each; "
    .. "lunula --version says which lunula this is."
  return table.concat(lines, "\n")
end

-- Errors of the library speak Lua.
local function run(command, values)
  local ok, why = pcall(command.run, values)
  if ok then return end
  error(type(why) == "string" and arguments.as_typed(command, why) or why, 0)
end

local function dispatch(words)
  local name = words[1]
  if name == nil then
    arguments.wrong("no command; one of %s", table.concat(COMMANDS, ", "))
  elseif name == "--help" then
    return output.line(general_help())
  elseif name == "--version" then
    return output.line("lunula " .. require("lunula").version)
  elseif name:sub(1, 1) == "-" then
    arguments.wrong("unknown option '%s'; do you mean %s?", name,
      arguments.closest(name, { "--help", "--version" }))
  end
  local command = load_command(name)
  command, words = variant(command, words)
  local values = arguments.parse(command, words)
  if values.help then return output.line(arguments.help(command)) end
  run(command, values)
end

local function complain(message)
  io.stderr:write("lunula: ", (message:gsub("%s*\n%s*", "; ")), "\n")
end

local function status_of(why, name)
  if why == output.CLOSED then return DONE end
  if type(why) == "table" and why.usage then
    complain(("%s (see lunula %s--help)"):format(why.usage,
      is_command(name) and name .. " " or ""))
    return MISUSED
  end
  local message = tostring(why)
  -- Lua's own message on Ctrl-C, with a place before it, or our own
  local interrupted = message:find("interrupted!$")
  complain(interrupted and "interrupted" or message)
  interrupted = interrupted or message:find("^interrupted")
  return interrupted and INTERRUPTED or FAILED
end

--- Runs one command line.
-- @tparam {string,...} words without the program's name
-- @treturn int the exit status
-- @usage os.exit(require("lunula.cli").main({ "--version" }))
function cli.main(words)
  local ok, why = pcall(dispatch, words)
  if ok then ok, why = pcall(output.flush) end
  return ok and DONE or status_of(why, words[1])
end

return cli
