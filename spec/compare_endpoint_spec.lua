local answers = require "lunula.compare.answers"
local cjson = require "cjson"
local classifier = require "lunula.classifier"
local compare = require "lunula.compare"
local file = require "spec.support.file"
local json = require "lunula.json"
local prompt = require "lunula.compare.prompt"
local reply = require "lunula.compare.reply"
local run = require "spec.support.run"
local shell = require "lunula.shell"
local tiny = require "spec.support.tiny"

local unpack = table.unpack or unpack  -- luacheck: ignore

local LABELS = { "negative", "positive" }
-- another in each run: all command lines of the machine are searched for it
local UNIQUE = os.tmpname()
os.remove(UNIQUE)
local KEY = "k3y-of-the-spec-" .. UNIQUE:match "%w+$"

describe("A prompt", function()
  it("lists all labels and asks for one of them", function()
    local asked = prompt.new(LABELS, {}, false):of({ text = "A film." })
    assert.matches("negative\npositive\n", asked, 1, true)
    assert.matches("Text: A film.\n", asked, 1, true)
    assert.is_nil(asked:find "[{}]")
  end)

  it("is a template that texts can't change", function()
    local made = prompt.new(LABELS, {}, false, "{text}|{labels}|{other}")
    assert.are.equal("{labels} %1|negative\npositive|{other}",
      made:of({ text = "{labels} %1" }))
  end)

  it("needs the places of what is asked", function()
    local shots = { { text = "x", label = "negative" } }
    for name, case in pairs {
      text = { "{labels}", {}, false }, labels = { "{text}", {}, false },
      examples = { "{text}{labels}", shots, false },
      text_pair = { "{text}{labels}", {}, true },
    } do
      local ok, why = pcall(prompt.new, LABELS, case[2], case[3], case[1])
      assert.is_false(ok)
      assert.are.equal("compare: prompt: {" .. name
        .. "} does not stand in it", why)
    end
  end)

  it("shows examples of each label, by the seed, and none of the texts asked",
    function()
      local rows, asked = tiny.reviews(200), {}
      for i, row in ipairs(rows) do row.text = row.text .. i end
      for i = 1, 150 do asked[i] = { text = rows[i].text .. " " } end
      local shots = prompt.draw(rows, asked, 7, 1)
      assert.are.same(shots, prompt.draw(rows, asked, 7, 1))
      assert.are_not.same(shots, prompt.draw(rows, asked, 7, 2))
      local count, seen = { negative = 0, positive = 0 }, {}
      for _, row in ipairs(shots) do
        count[row.label] = count[row.label] + 1
        assert.is_nil(seen[row.text])
        assert.is_true(tonumber(row.text:match "%d+$") > 150)
        seen[row.text] = true
      end
      assert.are.equal(1, math.abs(count.negative - count.positive))
      local text = prompt.new(LABELS, shots, false):of({ text = "x" })
      assert.matches("Text: " .. shots[7].text .. "\nLabel: "
        .. shots[7].label, text, 1, true)
      local ok, why = pcall(prompt.draw, rows, asked, 51, 1)
      assert.is_false(ok)
      assert.matches("at least 51 rows that are not judged, found 50", why)
    end)

  it("has room for the second text of pairs", function()
    local asked = prompt.new(LABELS, {}, true):of({ text = "A",
      text_pair = "B" })
    assert.matches("Text: A\nSecond text: B\n", asked, 1, true)
  end)
end)

describe("A key", function()
  it("is masked wherever it stands", function()
    assert.are.equal("a [the key]b[the key]", reply.masked("a k%yb" .. "k%y",
      "k%y"))
    assert.are.equal("nothing", reply.masked("nothing", nil))
  end)

  it("is masked in what a server says, escaped or about to be cut", function()
    local key = "sk-ab/cd+ef"
    for body, shown in pairs {
      [('{"error":{"message":"%s%s!"}}'):format(("x"):rep(195), key)] =
        ("x"):rep(195) .. "[the ",
      ['{"odd":["sk-ab\\/cd\\u002bef"]}'] = '{"odd":["[the key]"]}',
      ["<p>sk-ab/cd+ef</p>"] = "<p>[the key]</p>",
    } do
      local _, why = reply.read({ body = body, status = 401, code = 0,
        headers = {} }, key)
      assert.are.equal("HTTP 401: " .. shown, why)
    end
  end)
end)

describe("compare.ask", function()
  it("says what is wrong with what it is given", function()
    local function fails(message, rows, changes)
      local o = { endpoint = "http://127.0.0.1:1/v1", llm = "m",
        labels = LABELS, max_retries = 0 }
      for name, value in pairs(changes or {}) do o[name] = value end
      local ok, why = pcall(compare.ask, rows, o)
      assert.is_false(ok)
      assert.are.equal(message, why)
    end
    local rows = { { text = "a film" } }
    fails("compare.ask: no rows", {})
    fails("compare.ask: row 1: text: expected a string, got number",
      { { text = 5 } })
    fails("compare: key_env: expected a string, got 5", rows,
      { key_env = 5 })
    fails("compare: prompt: expected a path, got 5", rows, { prompt = 5 })
    fails("compare: on_notice: expected a function, got 5", rows,
      { on_notice = 5 })
    fails("compare: shots_from: row 1: label: expected a string, got nil",
      rows, { shots = 1, shots_from = rows })
    assert.has_error(function() compare.sample({}, 5) end,
      "compare.sample: no rows")
  end)
end)

describe("A language model that is asked", function()
  if not shell.has("python3") or not shell.has("curl") then
    pending("needs python3 and curl")
    return
  end

  it("is not asked again for a reply of which it says that it is too large",
    function()
      local answer, why, may_pass = reply.read({ body = "", status = 200,
        code = 63, headers = {}, message = "Maximum file size exceeded" }, nil)
      assert.are.same({ nil, "a reply of more than 4 MiB", false },
        { answer, why, may_pass })
    end)

  local server, server_pid, port, dir, rows, n

  local function path(name) return dir .. "/" .. name end

  local function url(how)
    return ("http://127.0.0.1:%s/%s/v1"):format(port, how)
  end

  -- a file of answers that no test before has
  local function fresh()
    n = n + 1
    return path(n .. ".jsonl")
  end

  local function log_of(how)
    return cjson.decode(shell.must { "curl", "-s", "--noproxy", "*",
      ("http://127.0.0.1:%s/log"):format(port) })[how]
  end

  local function requests(how)
    return (log_of(how) or { requests = 0 }).requests
  end

  local function words_of(how, to, ...)
    return { "compare", path "model", path "test.csv", "--endpoint", url(how),
      "--llm=gpt", "--answers", to, ... }
  end

  local function lunula(how, to, ...)
    return run.lunula(words_of(how, to, ...), { "OPENAI_API_KEY=" .. KEY })
  end

  local function lines_of(to)
    local list = {}
    for line in file.read(to):gmatch "([^\n]*)\n" do
      list[#list + 1] = json.decode(line, to)
    end
    return list
  end

  local function figures(...)
    local to = path "figures.json"
    local printed, code, said = lunula(select(1, ...), select(2, ...),
      "--json", to, unpack({ ... }, 3))
    assert.are.equal(0, code, said)
    return cjson.decode(file.read(to)), printed, said
  end

  local function wait_until(holds)
    for _ = 1, 200 do
      if holds() then return end
      shell.run { "sleep", "0.05" }
    end
    error("it did not come in ten seconds")
  end

  -- temporary folders of pools that are still there
  local function pools()
    return (shell.run { "sh", "-c",
      "ls -d " .. dir .. "/tmp/* 2>/dev/null" })
  end

  setup(function()
    server = assert(io.popen("exec python3 spec/support/chat_server.py"))
    port, server_pid = server:read("*l"):match("(%d+) (%d+)")
    dir, n = tiny.temporary(), 0
    tiny.write_encoder(path "encoder")
    classifier(path "encoder", { labels = LABELS }):save(path "model")
    shell.must { "mkdir", path "tmp" }
    local lines = { "text,label\n" }
    rows = tiny.reviews(12)
    for i, row in ipairs(rows) do
      row.text = row.text .. " " .. i
      lines[i + 1] = ('"%s",%s\n'):format(row.text, row.label)
    end
    file.write(path "test.csv", table.concat(lines))
  end)

  teardown(function()
    shell.run { "kill", server_pid }
    server:close()
    tiny.remove(dir)
  end)

  it("answers each text once, and every answer is kept with what it took",
    function()
      local to = fresh()
      local found, printed = figures("plain", to, "--price-input=3",
        "--price-output=15")
      assert.matches("B read 1200 tokens and wrote 24: 0.00396 in all", printed,
        1, true)
      assert.are.equal(1, found.b.accuracy)
      assert.are.equal("gpt", found.b.name)
      assert.is_near(1000 * (100 * 3 + 2 * 15) / 1e6, found.b.cost_per_1000,
        1e-9)
      local kept = lines_of(to)
      assert.are.equal(12, #kept)
      for _, entry in ipairs(kept) do
        assert.are.equal("gpt", entry.llm)
        assert.are.equal(entry.answer, entry.label)
        assert.are.equal("stop", entry.finish_reason)
        assert.are.same({ 100, 2 }, { entry.input_tokens,
          entry.output_tokens })
        assert.are.equal(64, #entry.prompt)
        assert.is_true(entry.seconds > 0)
      end
      local body = cjson.decode(log_of("plain").bodies[1])
      assert.are.same({ "gpt", 0 }, { body.model, body.temperature })
      assert.are.equal("/plain/v1/chat/completions", log_of("plain").paths[1])
      assert.are.equal("Bearer " .. KEY, log_of("plain").keys[1])
    end)

  it("is asked no more than what has no answer yet", function()
    local to = fresh()
    figures("plain", to, "--limit=5")
    local before = requests "plain"
    figures("plain", to)
    assert.are.equal(before + 7, requests "plain")
    figures("plain", to)
    assert.are.equal(before + 7, requests "plain")
    assert.are.equal(12, #lines_of(to))
  end)

  it("is asked again where the prompt, the model or the examples are others",
    function()
      local to, before = fresh(), requests "plain"
      file.write(path "prompt.txt", "{labels}? {examples}Text: {text}")
      file.write(path "train.csv", 'text,label\n"bad",negative\n'
        .. '"good",positive\n')
      local changes = { {}, { "--prompt", path "prompt.txt" },
        { "--temperature=1" },
        { "--shots=2", "--shots-from", path "train.csv" } }
      for i, words in ipairs(changes) do
        local found = figures("plain", to, unpack(words))
        assert.are.equal(1, found.b.accuracy)
        assert.are.equal(before + 12 * i, requests "plain")
      end
      local theirs = compare.read(to)
      assert.are.equal(12, #theirs.rows)
      assert.are.equal(36, theirs.other_prompts)
      assert.matches("Label: positive\n",
        cjson.decode(log_of("plain").bodies[before + 37]).messages[1].content,
        1, true)
    end)

  it("has answers that are read later without asking", function()
    local to = fresh()
    local asked, before = figures("chatty", to), requests "chatty"
    local printed, code, said = run.lunula { "compare", path "model",
      path "test.csv", "--against", to, "--json", path "later.json" }
    assert.are.equal(0, code, said)
    assert.matches("B gave 12 answers that are no label", printed, 1, true)
    local found = cjson.decode(file.read(path "later.json"))
    assert.are.equal(12, asked.b.unparsed)
    assert.are.equal(asked.b.accuracy, found.b.accuracy)
    assert.are.equal(asked.b.input_tokens, found.b.input_tokens)
    assert.are.equal(before, requests "chatty")
  end)

  it("is read strictly: chatter and silence are kept, counted and wrong",
    function()
      assert.are.equal(1, figures("odd", fresh()).b.accuracy)
      for _, how in ipairs { "chatty", "silent" } do
        local to = fresh()
        local found = figures(how, to)
        assert.are.equal(12, found.b.unparsed, how)
        assert.are.equal(0, found.b.accuracy, how)
        assert.are.equal(12, #lines_of(to))
        assert.is_nil(lines_of(to)[1].label)
      end
    end)

  it("costs nothing that is known where it does not count its tokens",
    function()
      local found, _, said = figures("uncounted", fresh(), "--price-input=3")
      assert.matches("what the other costs is not known", said, 1, true)
      assert.is_nil(found.b.cost_per_1000)
      assert.is_nil(found.b.tokens_per_second)
    end)

  it("is asked several questions at once, and never more than that",
    function()
      figures("slow", fresh(), "--concurrency=3")
      local log = log_of "slow"
      assert.are.equal(12, log.requests)
      assert.are.equal(3, log.most)
    end)

  it("is asked again where the server fails, after a while", function()
    local to = fresh()
    local found, _, said = figures("failing", to)
    assert.are.equal(1, found.b.accuracy)
    assert.are.equal(24, requests "failing")
    assert.are.equal(12, #lines_of(to))
    assert.matches("HTTP 500: out of order; again in", said, 1, true)
  end)

  it("is left alone for as long as it says", function()
    figures("limited", fresh(), "--concurrency=1")
    local log = log_of "limited"
    assert.are.equal(13, log.requests)
    assert.is_true(log.times[2] - log.times[1] >= 1)
  end)

  for how, message in pairs {
    broken = "HTTP 500: out of order, after 2 tries",
    html = "no answer of a chat model: <html>Welcome to the proxy</html>, "
      .. "after 2 tries",
    empty = 'no answer of a chat model: {"choices":[]}, after 2 tries',
    huge = "a reply of more than 4 MiB",
    moved = "HTTP 307",
    closed = "HTTP 429: no more today; it wants to be left alone for 86400 s",
    echo = "HTTP 400: refused Bearer [the key], sorry",
  } do
    it("ends where it must, with what the server said: " .. how, function()
      local to = fresh()
      local _, code, said = lunula(how, to, "--max-retries=1")
      assert.are.equal(1, code)
      assert.matches(message, said, 1, true)
      assert.matches("0 of 12 answers are in " .. to
        .. ": the same again goes on from there\n$", said)
      assert.is_nil(said:find(KEY, 1, true))
      assert.are.equal("", file.read(to))
    end)
  end

  it("is not asked twice what it refuses for good", function()
    local _, code, said = run.lunula(words_of("secret", fresh(),
      "--concurrency=1"), { "OPENAI_API_KEY=an0ther" })
    assert.are.equal(1, code)
    assert.matches("HTTP 401: wrong key", said, 1, true)
    assert.are.equal(1, requests "secret")
    _, code, said = run.lunula(words_of("secret", fresh(), "--key-env=OTHER"),
      { "OPENAI_API_KEY=an0ther", "OTHER=" .. KEY })
    assert.are.equal(0, code, said)
  end)

  it("need not be there: that is said too", function()
    local _, code, said = run.lunula { "compare", path "model",
      path "test.csv", "--endpoint=http://127.0.0.1:1/v1", "--llm=gpt",
      "--max-retries=0", "--answers", fresh() }
    assert.are.equal(1, code)
    assert.matches("http://127.0.0.1:1/v1/chat/completions: curl: %(7%)", said)
  end)

  it("gets a key of the environment alone, and one that is well-formed",
    function()
      for value, message in pairs { [""] = "key_env: OTHER is not set",
        ['a"b'] = "OTHER: a character that no key has",
        ["a\nheader"] = "OTHER: a character that no key has" } do
        local _, code, said = run.lunula(words_of("plain", fresh(),
          "--key-env=OTHER"), { "OTHER=" .. value })
        assert.are.equal(1, code)
        assert.matches(message, said, 1, true)
      end
      local _, code, said = run.lunula(words_of("plain", fresh(),
        "--key-env=$(reboot)"))
      assert.are.equal(1, code)
      assert.matches("is no name of an environment variable", said, 1, true)
    end)

  it("may have a query, which is not shown, but no password", function()
    local _, code, said = run.lunula { "compare", path "model",
      path "test.csv", "--endpoint", url "secret" .. "/?token=hidd3n",
      "--llm=gpt", "--answers", fresh() }
    assert.are.equal(1, code)
    local paths = log_of("secret").paths
    assert.are.equal("/secret/v1/chat/completions?token=hidd3n",
      paths[#paths])
    assert.matches(url "secret" .. "/chat/completions: HTTP 401", said, 1, true)
    assert.is_nil(said:find("hidd3n", 1, true))
    _, code, said = run.lunula { "compare", path "model", path "test.csv",
      "--endpoint=http://bob:hidd3n@127.0.0.1:1/v1", "--llm=gpt" }
    assert.are.equal(1, code)
    assert.matches("a name or password in it would be seen", said, 1, true)
    assert.is_nil(said:find("hidd3n", 1, true))
  end)

  it("never has its key on a command line, in a file or in what is printed",
    function()
      local to = fresh()
      local before = requests "stuck"
      local pid = run.background(words_of("stuck", to, "--concurrency=2"),
        { "OPENAI_API_KEY=" .. KEY, "TMPDIR=" .. path "tmp" })
      wait_until(function() return requests "stuck" >= before + 4 end)
      local lines = shell.run { "sh", "-c",
        "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '" }
      assert.matches(url "stuck", lines, 1, true)
      assert.is_nil(lines:find(KEY, 1, true))
      local listed = shell.run { "sh", "-c", "ls -ld " .. path "tmp/*" }
      assert.matches("^drwx%-%-%-%-%-%-", listed)
      local _, code = shell.run { "grep", "-rqF", "--devices=skip", KEY, dir }
      assert.are.equal(1, code)
      shell.must { "kill", "-9", pid }
      wait_until(function() return pools() == "" end)
      local kept = lines_of(to)
      assert.are.equal(2, #kept)
      local found, printed, said = figures("repeats", to)
      assert.are.equal(10, found.b.unparsed)
      assert.is_nil((printed .. said .. file.read(to)):find(KEY, 1, true))
      assert.are.equal(12, #lines_of(to))
    end)

  it("leaves no folder where all programs of a terminal are ended", function()
    local before = requests "stuck"
    local process = shell.start("setsid " .. shell.line(run.command(
      words_of("stuck", fresh()), { "TMPDIR=" .. path "tmp" }))
      .. " >/dev/null 2>&1 & echo $!")
    local pid = process:read "*l"
    process:close()
    wait_until(function() return requests "stuck" > before end)
    assert.are_not.equal("", pools())
    shell.must { "kill", "-TERM", "-" .. pid }
    wait_until(function() return pools() == "" end)
  end)

  it("is left alone after Ctrl-C, and asked the rest later", function()
    local to = fresh()
    local _, code, said = run.interrupted(
      ("grep -q . %s"):format(to), words_of("slow", to, "--concurrency=1"))
    assert.are.equal(130, code)
    assert.matches("interrupted; %d+ of 12 answers are in", said)
    local kept = #lines_of(to)
    assert.is_true(kept > 0 and kept < 12)
    local asked = requests "plain"
    assert.are.equal(1, figures("plain", to).b.accuracy)
    assert.are.equal(asked + 12 - kept, requests "plain")
  end)

  it("has a torn last answer asked again", function()
    local to = fresh()
    figures("plain", to)
    local text, before = file.read(to), requests "plain"
    file.write(to, text:sub(1, -20))
    assert.are.equal(11, #compare.read(to).rows)
    local found, _, said = figures("plain", to)
    assert.are.equal(1, found.b.accuracy)
    assert.matches("11 answers are in " .. to .. " already", said, 1, true)
    assert.are.equal(before + 1, requests "plain")
    assert.are.equal(12, #lines_of(to))
  end)

  it("is asked once about a text that is not UTF-8", function()
    local to, before = fresh(), requests "plain"
    file.write(path "latin.csv", "text,label\nA lovely caf\233.,positive\n"
      .. "A dull caf\233.,negative\n")
    for _ = 1, 2 do
      local printed, code, said = run.lunula { "compare", path "model",
        path "latin.csv", "--endpoint", url "plain", "--llm=gpt",
        "--answers", to }
      assert.are.equal(0, code, said)
      assert.matches("B  gpt +1.000", printed)
      assert.are.equal(before + 2, requests "plain")
    end
    local printed, code, said = run.lunula { "compare", path "model",
      path "latin.csv", "--against", to }
    assert.are.equal(0, code, said)
    assert.matches("B  gpt +1.000", printed)
    assert.is_nil(printed:find("but for its space", 1, true))
  end)

  it("is not asked where the file has something else", function()
    local to = fresh()
    for text, message in pairs {
      ['{"text":"x"}\n'] = ":1: not an answer that lunula compare wrote",
      ["text,label\n"] = ":1: not valid JSON",
    } do
      file.write(to, text)
      local _, code, said = lunula("plain", to)
      assert.are.equal(1, code)
      assert.matches(message, said, 1, true)
      assert.are.equal(text, file.read(to))
    end
    assert.is_false(answers.is_one(path "test.csv"))
  end)
end)
