--- busted's output: what busted itself prints, and a last line that other
-- programs read: `N passed, N failed`.
return function(options)
  local busted = require "busted"
  local handler = require "busted.outputHandlers.plainTerminal"(options)
  local subscribe = handler.subscribe
  function handler.subscribe(self, ...)
    subscribe(self, ...)
    busted.subscribe({ "exit" }, function()
      io.write(("%d passed, %d failed\n"):format(handler.successesCount,
        handler.failuresCount + handler.errorsCount))
      return nil, true
    end)
  end
  return handler
end
