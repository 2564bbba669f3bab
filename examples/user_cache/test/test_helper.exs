Lockstep.start()
# LocalCluster and Schism act on simulated nodes in runs.
Lockstep.Compat.install()
ExUnit.start(exclude: [:gap])
