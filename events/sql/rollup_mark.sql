-- Which ledger rows the refresh of this range saw before it began. A row that arrives during it stays unmarked.
UPDATE rollup_ledger SET refresh = %(refresh)s::uuid WHERE bucket >= %(start)s AND bucket < %(end)s
