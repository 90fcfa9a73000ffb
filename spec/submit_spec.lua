local classifier = require "lunula.classifier"
local core = require "lunula.core"
local predictions = require "lunula.predictions"
local tiny = require "spec.support.tiny"
local train = require "lunula.train"

describe("A classifier", function()
  local dir, model
  local texts = {}
  for i, row in ipairs(tiny.reviews(100)) do
    texts[i] = row.text:rep(i % 7 + 1)
  end

  -- work that takes a while: more than a test needs to look at it
  local function long()
    local all = {}
    for i = 1, 20000 do all[i] = texts[i % #texts + 1] end
    return all
  end

  setup(function()
    dir = tiny.temporary()
    tiny.write_encoder(dir)
    model = classifier(dir, { labels = { "negative", "positive" } })
  end)

  teardown(function() tiny.remove(dir) end)

  it("submits texts and gets what it would predict, to the bit", function()
    assert.are.same(model:predict(texts), model:submit(texts):result())
    assert.are.same(model:predict(texts[3]), model:submit(texts[3]):result())
    assert.are.same({}, model:submit({}):result())
  end)

  it("submits with the options of predict", function()
    local given = { text_pairs = texts, batch_size = 7 }
    assert.are.same(model:predict(texts, given),
      model:submit(texts, given):result())
    for _, truncation in ipairs { "tail", "head_tail", "windows" } do
      local cut = { truncation = truncation, batch_tokens = 90,
        stride = truncation == "windows" and 3 or nil }
      local short = classifier(dir, { labels = model.labels, max_length = 9 })
      local found = short:submit(texts, cut):result()
      assert.are.same(short:predict(texts, cut), found)
      assert.are.equal(truncation ~= "windows", found[6].cut ~= nil)
    end
    assert.are.same(model:predict("a film", { text_pairs = "is good" }),
      model:submit("a film", { text_pairs = "is good" }):result())
  end)

  it("goes on while a job is under way, and finds it done", function()
    local job = model:submit(long())
    assert.is_false(job:done())
    assert.is_false(job:wait(0))
    assert.is_false(job:wait(-1))
    assert.is_false(job:wait(0 / 0))
    assert.is_true(job:wait())
    assert.is_true(job:done())
    assert.is_true(job:wait(1))
    assert.are.equal(20000, #job:result())
  end)

  it("waits no longer than it is asked to", function()
    local job = model:submit(long())
    local before = core.system.monotonic()
    local done = job:wait(0.001)
    assert.is_true(done or core.system.monotonic() - before >= 0.001)
    job:cancel()
  end)

  it("cancels a job, which then has no result", function()
    local job = model:submit(long())
    assert.is_true(job:cancel())
    assert.is_true(job:done())
    assert.has_error(function() job:result() end,
      "job: the job was cancelled")
    assert.is_false(job:cancel())
  end)

  it("keeps the result of a job that is cancelled too late", function()
    local job = model:submit "a film"
    job:wait()
    assert.is_false(job:cancel())
    assert.is_string(job:result().label)
  end)

  it("raises what went wrong in a job when its result is asked for", function()
    local short = classifier(dir, { labels = model.labels, max_length = 2 })
    local job = short:submit("a film", { text_pairs = "is good" })
    assert.is_true(job:wait())
    local ok, why = pcall(job.result, job)
    assert.is_false(ok)
    assert.is_truthy(why:find("job: texts[1]: ", 1, true))
  end)

  it("refuses a job when its queue is full, until there is room", function()
    local small = classifier(dir, { labels = model.labels,
      queue_capacity = 2 })
    local first, second = small:submit(long()), small:submit(long())
    local third, why = small:submit "a film"
    assert.is_nil(third)
    assert.are.equal("queue is full (2 jobs)", why)
    assert.is_not_nil(model:submit "a film")  -- it has a queue of its own
    first:cancel()
    second:cancel()
    repeat third = small:submit "a film" until third
    assert.is_string(third:result().label)
  end)

  it("forgets jobs that nobody refers to", function()
    local small = classifier(dir, { labels = model.labels,
      queue_capacity = 1 })
    small:submit(long())
    collectgarbage()
    collectgarbage()
    local job
    repeat job = small:submit "a film" until job
    assert.is_string(job:result().label)
  end)

  it("gives a job's descriptor when it is asked for, and closes it",
    function()
      local function descriptors()
        return #core.io.list "/proc/self/fd"
      end
      if not core.io.stat "/proc/self/fd" then
        pending("needs Linux to count descriptors")
        return
      end
      local jobs = { model:submit(long()) }
      local before = descriptors()
      local fd = jobs[1]:fd()
      assert.is_true(fd > 2)
      assert.are.equal(fd, jobs[1]:fd())
      jobs[1]:cancel()
      assert.are.equal(before + 1, descriptors())
      jobs[1] = nil
      collectgarbage()
      collectgarbage()
      assert.are.equal(before, descriptors())
    end)

  it("answers with the model as it was when it was asked", function()
    local before = model:predict "a film"
    local other = classifier(dir, { labels = model.labels })
    local job = other:submit(long())
    local last = other:submit "a film"
    train(other, tiny.reviews(16), { epochs = 2, learning_rate = 1e-2 })
    assert.are.same(before, last:result())
    assert.are.same(other:predict "a film", other:submit("a film"):result())
    assert.are_not.same(before, other:predict "a film")
    job:cancel()
  end)

  it("answers what it was asked once, here or in a job", function()
    local queue, space = core.jobs.queue(2), core.jobs.space()
    local function asked(given)
      return predictions.ask({ core = model:model(), max_length = 2,
        problem = model.problem }, "a film", given, "ask")
    end
    local function refuses(f, ...)
      local ok, why = pcall(f, ...)
      assert.is_false(ok)
      assert.matches("it ran before", why)
    end
    local once, failing = asked(), asked { text_pairs = "is good" }
    once:run(space)
    assert.is_false((pcall(failing.run, failing, space)))
    for _, made in ipairs { once, failing } do
      refuses(made.run, made, space)
      refuses(queue.submit, queue, made)
    end
    local handed = asked()
    assert.is_truthy(queue:submit(handed))
    assert.is_false((pcall(queue.submit, queue, handed)))
    assert.is_false((pcall(handed.run, handed, space)))
  end)

  it("says what is wrong with texts and options at once", function()
    assert.has_error(function() model:submit(3) end,
      "submit: expected a text or an array of texts, got number")
    assert.has_error(function() model:submit { "a", 3 } end,
      "submit: texts[2]: expected a string, got number")
    assert.has_error(function() model:submit("a", { batch = 3 }) end,
      "submit: unknown option 'batch'; known: batch_size, batch_tokens, "
      .. "min_score, stride, text_pairs, threads, truncation")
    assert.has_error(function() model:submit("a", { threads = 0 }) end,
      "submit: threads: expected an integer from 1 to 64, got 0")
    assert.has_error(function() model:submit("a", { batch_size = 0 }) end,
      "submit: batch_size: expected an integer of at least 1, got 0")
    assert.has_error(function()
      model:submit({ "a", "b" }, { text_pairs = { "c" } })
    end, "submit: text_pairs: expected one for each of 2 texts")
    assert.has_error(function()
      classifier(dir, { labels = model.labels, queue_capacity = 0 })
    end, "classifier: queue_capacity: expected an integer from 1 to 1048576, "
      .. "got 0")
    assert.has_error(function() model:submit("a"):wait "long" end,
      "job: wait: seconds: expected a number, got 'long'")
  end)
end)
