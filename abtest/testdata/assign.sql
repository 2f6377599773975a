-- Hotpath's experiment assignment in SQL: what abtest/doc.go says, with nothing
-- but integers below 2^63, |, &, << and >>, since not every database has 64-bit
-- unsigned numbers or an exclusive or. A 64-bit number is two columns of 32 bits,
-- hi and lo. Written for SQLite and checked with it by assign_sql.py; elsewhere
-- only hex() and instr() have other names.
--
-- It reads
--   units(unit)                        the ids to assign, as text
--   experiments(name, salt,            salt of the variants' buckets
--               layer_salt, low, high, range of the layer; layer_salt NULL: in none
--               everywhere_salt, everywhere,  the global holdout: share in basis points
--               holdout_salt, holdout, the layer's holdout; each salt NULL: none
--               ramp)                  share of the ramp at the time that is asked for
--   slots(experiment, bucket, variant) which variant owns each of the 10,000
--                                      buckets: reference.slots() of its weights
-- and gives (experiment, unit, bucket, reason, variant): what each experiment says
-- of each unit by itself. Where a variant is held, write the control into slots
-- instead. Not in it are conditions, prerequisites, overrides, sticky assignments,
-- start and end, states, and layers or holdouts of another unit: leave such units
-- out, or take reference.py.

WITH RECURSIVE

-- The texts to digest, as hexadecimal digits of their bytes. 00 is the zero byte
-- between a purpose and its salt.
purposes(experiment, purpose, hex) AS (
  SELECT name, 'assign', hex('assign') || '00' || hex(salt) FROM experiments
  UNION ALL SELECT name, 'ramp', hex('ramp') || '00' || hex(salt) FROM experiments
  UNION ALL SELECT name, 'layer', hex('layer') || '00' || hex(layer_salt) FROM experiments WHERE layer_salt IS NOT NULL
  UNION ALL SELECT name, 'everywhere', hex('holdout') || '00' || hex(everywhere_salt) FROM experiments WHERE everywhere_salt IS NOT NULL
  UNION ALL SELECT name, 'holdout', hex('holdout') || '00' || hex(holdout_salt) FROM experiments WHERE holdout_salt IS NOT NULL
),
texts(hex) AS (SELECT hex(unit) FROM units UNION SELECT hex FROM purposes),

-- FNV-1a: even steps are "h = h xor byte", odd ones the multiplication by
-- 2^40 + 435, which is a shift and a multiplication by a small number. Step 2n
-- has digested n bytes. a xor b is (a | b) - (a & b).
fnv(hex, step, hi, lo) AS (
  SELECT hex, 0, 3421674724, 2216829733 FROM texts
  UNION ALL
  SELECT hex, step + 1,
    CASE step % 2 WHEN 0 THEN hi ELSE (hi * 435 + (lo * 435 >> 32) + (lo << 8)) & 4294967295 END,
    CASE step % 2 WHEN 0
      THEN (lo | (instr('123456789ABCDEF', substr(hex, step + 1, 1)) * 16 + instr('123456789ABCDEF', substr(hex, step + 2, 1))))
         - (lo & (instr('123456789ABCDEF', substr(hex, step + 1, 1)) * 16 + instr('123456789ABCDEF', substr(hex, step + 2, 1))))
      ELSE (lo * 435) & 4294967295 END
  FROM fnv WHERE step < length(hex)
),

-- fmix64: even steps are "h = h xor (h >> 33)", odd ones multiplications. ch is
-- the multiplier's upper half; its lower half is c1 * 2^16 + c0.
multipliers(step, ch, c1, c0) AS (VALUES (0, 0, 0, 0), (1, 4283543511, 60757, 36045), (2, 0, 0, 0), (3, 3301882366, 6789, 60499), (4, 0, 0, 0)),
mix(hex, step, hi, lo) AS (
  SELECT hex, 0, hi, lo FROM fnv WHERE step = length(hex)
  UNION ALL
  SELECT hex, step + 1,
    CASE step % 2 WHEN 0 THEN hi ELSE
      (((lo * c0 + ((lo * c1 & 65535) << 16)) >> 32) + (lo * c1 >> 16)
        + lo * (ch & 65535) + ((lo * (ch >> 16) & 65535) << 16)
        + hi * c0 + ((hi * c1 & 65535) << 16)) & 4294967295 END,
    CASE step % 2 WHEN 0 THEN (lo | (hi >> 1)) - (lo & (hi >> 1)) ELSE (lo * c0 + ((lo * c1 & 65535) << 16)) & 4294967295 END
  FROM mix JOIN multipliers USING (step)
),
digests(hex, hi, lo) AS (SELECT hex, hi, lo FROM mix WHERE step = 5),

-- The bucket of each unit for each purpose: the two digests are joined by an
-- exclusive or, mixed once more and multiplied by 10,000.
joined(experiment, purpose, unit, step, hi, lo) AS (
  SELECT experiment, purpose, unit, 0, (k.hi | u.hi) - (k.hi & u.hi), (k.lo | u.lo) - (k.lo & u.lo)
  FROM purposes JOIN digests k USING (hex) JOIN units JOIN digests u ON u.hex = hex(unit)
  UNION ALL
  SELECT experiment, purpose, unit, step + 1,
    CASE step % 2 WHEN 0 THEN hi ELSE
      (((lo * c0 + ((lo * c1 & 65535) << 16)) >> 32) + (lo * c1 >> 16)
        + lo * (ch & 65535) + ((lo * (ch >> 16) & 65535) << 16)
        + hi * c0 + ((hi * c1 & 65535) << 16)) & 4294967295 END,
    CASE step % 2 WHEN 0 THEN (lo | (hi >> 1)) - (lo & (hi >> 1)) ELSE (lo * c0 + ((lo * c1 & 65535) << 16)) & 4294967295 END
  FROM joined JOIN multipliers USING (step)
),
buckets(experiment, purpose, unit, bucket) AS (
  SELECT experiment, purpose, unit, (hi * 10000 + (lo * 10000 >> 32)) >> 32 FROM joined WHERE step = 5
),
of_unit(experiment, unit, assign, ramp, layer, everywhere, holdout) AS (
  SELECT experiment, unit, MAX(CASE purpose WHEN 'assign' THEN bucket END), MAX(CASE purpose WHEN 'ramp' THEN bucket END),
    MAX(CASE purpose WHEN 'layer' THEN bucket END), MAX(CASE purpose WHEN 'everywhere' THEN bucket END), MAX(CASE purpose WHEN 'holdout' THEN bucket END)
  FROM buckets GROUP BY experiment, unit
),
decided(experiment, unit, bucket, reason) AS (
  SELECT name, unit, assign, CASE
    WHEN e.everywhere_salt IS NOT NULL AND b.everywhere < e.everywhere OR e.holdout_salt IS NOT NULL AND b.holdout < e.holdout THEN 'holdout'
    WHEN e.layer_salt IS NOT NULL AND NOT (e.low <= layer AND layer < e.high) THEN 'out_of_range'
    WHEN b.ramp >= e.ramp THEN 'outside_ramp'
    ELSE 'split' END
  FROM experiments e JOIN of_unit b ON b.experiment = e.name
)
SELECT d.experiment, d.unit, d.bucket, d.reason, CASE d.reason WHEN 'split' THEN s.variant END AS variant
FROM decided d JOIN slots s ON s.experiment = d.experiment AND s.bucket = d.bucket
ORDER BY d.experiment, d.unit;
