local classifier = require "lunula.classifier"
local recipes = require "lunula.recipes"
local tiny = require "spec.support.tiny"
local train = require "lunula.train"
local training = require "lunula.cli.training"

local load_text = loadstring or load  -- luacheck: ignore

describe("Recipes", function()
  local dir
  local rows, validation = tiny.reviews(40), {}
  for i = 1, 8 do validation[i] = table.remove(rows) end

  setup(function()
    dir = tiny.temporary()
    tiny.write_encoder(dir)
  end)

  teardown(function() tiny.remove(dir) end)

  local function fit(options)
    local model = classifier(dir, { labels = { "negative", "positive" } })
    local losses = {}
    for i, step in ipairs(train(model, rows, options).steps) do
      losses[i] = step.loss
    end
    return losses
  end

  it("have the names that the command line knows", function()
    assert.are.same({ "default", "small-data", "few-shot", "best" },
      recipes.names())
    assert.is_nil(recipes.worst)
  end)

  it("say when each is the right one", function()
    for _, name in ipairs(recipes.names()) do
      assert.matches("^%u[^\n]+%.$", recipes[name].summary)
    end
  end)

  it("hold options of a training and nothing else", function()
    for _, name in ipairs(recipes.names()) do
      local options = recipes.with(name,
        { validation = validation, epochs = 1 })
      assert.is_true(#fit(options) > 0)
    end
  end)

  it("can be given to the command line as a whole", function()
    for _, name in ipairs(recipes.names()) do
      for option, value in pairs(recipes[name]) do
        training.check_name(option, name)
        training.check_value(option, value, name)
      end
    end
  end)

  it("begin with what a training does when it is told nothing", function()
    assert.are.same(fit(), fit(recipes.default))
  end)

  it("print as Lua that can be pasted", function()
    for _, name in ipairs(recipes.names()) do
      local recipe = recipes[name]
      local text = tostring(recipe)
      local pasted = assert(load_text("return " .. text))()
      local plain = {}
      for option, value in pairs(recipe) do plain[option] = value end
      assert.are.same(plain, pasted)
      assert.matches("-- " .. recipe.summary .. "\n", text, 1, true)
    end
  end)

  it("print what was changed and added, whatever it is", function()
    local text = tostring(recipes.with("best",
      { schedule = 'a "b"\n', lora_modules = { "query", "value" },
        shuffle = false, learning_rate = 3e-5, ["odd-name"] = 1 }))
    local pasted = assert(load_text("return " .. text))()
    assert.are.equal('a "b"\n', pasted.schedule)
    assert.are.same({ "query", "value" }, pasted.lora_modules)
    assert.is_false(pasted.shuffle)
    assert.are.equal(3e-5, pasted.learning_rate)
    assert.are.equal(1, pasted["odd-name"])
  end)

  it("are the reader's own: a change is seen by nobody else", function()
    local mine = recipes.best
    mine.epochs = 77
    assert.are_not.equal(77, recipes.best.epochs)
    assert.are_not.equal(77, recipes.with("best").epochs)
  end)

  it("give way to what is given", function()
    local options = recipes.resolve("best",
      { recipe = "best", epochs = 7, shuffle = false })
    assert.are.equal(7, options.epochs)
    assert.is_false(options.shuffle)
    assert.are.equal(recipes.best.learning_rate, options.learning_rate)
    assert.is_nil(options.recipe)
  end)

  it("leave out what is only for single labels where others are learnt",
    function()
      assert.are.equal(1, recipes.resolve("best", {}).rdrop_alpha)
      for _, kind in ipairs { "regression", "ordinal",
          "multi_label_classification" } do
        assert.is_nil(recipes.resolve("best", {}, kind).rdrop_alpha)
      end
      assert.are.equal(1, recipes.resolve("best", {},
        "single_label_classification").rdrop_alpha)
    end)

  it("leave out what would exclude or need something", function()
    assert.is_number(recipes.best.batch_size)
    local options = recipes.resolve("best", { batch_tokens = 100 })
    assert.is_nil(options.batch_size)
    assert.is_number(recipes["small-data"].patience)
    assert.is_nil(recipes.resolve("small-data", {}).patience)
    assert.are.equal(recipes["small-data"].patience,
      recipes.resolve("small-data", { validation = validation }).patience)
  end)

  it("leave a mistake to whom it is told by", function()
    local given = { patience = 2, batch_size = 4, batch_tokens = 100 }
    assert.are.equal(2, recipes.resolve("best", given).patience)
    assert.are.equal(4, recipes.resolve("best", given).batch_size)
    assert.are.equal(100, recipes.resolve("best", given).batch_tokens)
  end)

  it("take changes as a table", function()
    assert.has_error(function() recipes.with("best", 3) end,
      "recipes: changes: expected a table, got 3")
    assert.has_error(function() recipes.resolve("best") end,
      "recipes: given: expected a table, got nil")
  end)

  it("are named where one is not known", function()
    for _, how in ipairs { "with", "resolve" } do
      assert.has_error(function() recipes[how]("bset", {}) end,
        "recipes: no recipe 'bset'; there are: default, small-data, "
        .. "few-shot, best")
    end
  end)
end)
