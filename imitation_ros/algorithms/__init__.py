"""How a policy is learned: one file per algorithm, each with a Config and train()."""
