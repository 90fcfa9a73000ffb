--- Lua states in several threads that share a model and hand jobs over, under
-- the thread sanitizer: a build of its own, which takes a minute or two.
local host = require "spec.support.host"
local interpreter = require "spec.support.interpreter"
local shell = require "lunula.shell"
local tiny = require "spec.support.tiny"

local FLAGS = "-fsanitize=thread"

describe("Under the thread sanitizer", function()
  local dir = tiny.temporary()
  local program = host.compile(FLAGS)
  local _, code = shell.run { "make", "-s", "LUA=" .. interpreter,
    "BUILD=" .. dir, "CORE=" .. dir .. "/lunula/core.so", "CFLAGS=" .. FLAGS,
    "LDFLAGS=" .. FLAGS, "core" }

  teardown(function()
    shell.run { "rm", "-rf", dir }
    if program then os.remove(program) end
  end)

  it("states of several threads share a model, train and predict", function()
    if code ~= 0 or not program then
      pending("needs a C compiler with the thread sanitizer")
      return
    end
    local said = host.run(program, "shared", host.MODEL .. [[
      local lunula = require "lunula"
      if not handle then
        kept = load_model()
        handle = lunula.share(kept)
      end
      lunula.threads(3)
      local same = lunula.open(handle)
      local jobs = {}
      for i = 1, 4 do jobs[i] = same:submit(texts) end
      jobs[2]:cancel()
      assert(#same:predict(texts) == #texts)
      assert(#jobs[1]:result() == #texts and #jobs[4]:result() == #texts)
      local own = load_model()
      require "lunula.train"(own, tiny.reviews(16), { epochs = 1 })
    ]], nil, { "LUA_CPATH=" .. dir .. "/?.so;;" })
    assert.are.equal("alive\n", said)
  end)
end)
