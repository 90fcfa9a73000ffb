--- Speed and memory beside PyTorch and onnxruntime, where they are installed:
-- of training, and of answers.
-- usage: make bench [PYTHON=path of a python that has them]
--            [ONLY=training|answers] [SENTENCES=file with a column "sentence"]

local hub = require "lunula.hub"
local peers = require "spec.peers.peers"

local ONLY = os.getenv "ONLY"
local KINDS = { "training", "answers" }

local folder = peers.output_of "mktemp -d":gsub("\n", "")
local model = hub.fetch("all-MiniLM-L6-v2").path
for _, kind in ipairs(KINDS) do
  if not ONLY or ONLY == kind then
    require("spec.peers." .. kind)(model, folder)
  end
end
os.execute("rm -rf " .. folder)
