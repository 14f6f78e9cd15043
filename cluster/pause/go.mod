module tradingoperator.io/cluster/pause

go 1.26
