"""What should be there: spec + observed + now -> Plan. Pure; one file per policy."""
