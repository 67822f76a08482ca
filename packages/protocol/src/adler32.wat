;; Adler-32 over 16 bytes a step. Source of the bytes in adler32.ts:
;;   npx -p wabt wat2wasm adler32.wat -o - | base64 -w0
;;
;; With a and b as the two sums of zlib's adler32.c, k steps of 16 bytes v give
;;   a' = a + sum of all v
;;   b' = b + 16*k*a + sum over steps of (16*v0 + 15*v1 + ... + 1*v15) + 16 * (sum of v of earlier steps)
;; va, vb, vp hold the three sums, four lanes each. 346 steps (5,536 bytes) fit into 32 bits.
(module
  (memory (export "memory") 1)
  (func (export "adler32") (param $p i32) (param $n i32) (param $seed i32) (result i32)
    (local $a i32) (local $b i32) (local $end i32) (local $stop i32)
    (local $va v128) (local $vb v128) (local $vp v128) (local $v v128)
    (local.set $a (i32.and (local.get $seed) (i32.const 65535)))
    (local.set $b (i32.shr_u (local.get $seed) (i32.const 16)))
    (local.set $end (i32.add (local.get $p) (local.get $n)))
    (block $out
      (loop $outer
        (br_if $out (i32.lt_u (i32.sub (local.get $end) (local.get $p)) (i32.const 16)))
        (local.set $stop (i32.and (i32.sub (local.get $end) (local.get $p)) (i32.const -16)))
        (if (i32.gt_u (local.get $stop) (i32.const 5536)) (then (local.set $stop (i32.const 5536))))
        (local.set $b (i32.add (local.get $b) (i32.mul (local.get $a) (local.get $stop))))
        (local.set $stop (i32.add (local.get $stop) (local.get $p)))
        (local.set $va (v128.const i32x4 0 0 0 0))
        (local.set $vb (v128.const i32x4 0 0 0 0))
        (local.set $vp (v128.const i32x4 0 0 0 0))
        (loop $inner
          (local.set $vp (i32x4.add (local.get $vp) (local.get $va)))
          (local.set $v (v128.load (local.get $p)))
          (local.set $va (i32x4.add (local.get $va)
            (i32x4.extadd_pairwise_i16x8_u (i16x8.extadd_pairwise_i8x16_u (local.get $v)))))
          (local.set $vb (i32x4.add (local.get $vb) (i32x4.add
            (i32x4.dot_i16x8_s (i16x8.extend_low_i8x16_u (local.get $v))
              (v128.const i16x8 16 15 14 13 12 11 10 9))
            (i32x4.dot_i16x8_s (i16x8.extend_high_i8x16_u (local.get $v))
              (v128.const i16x8 8 7 6 5 4 3 2 1)))))
          (local.set $p (i32.add (local.get $p) (i32.const 16)))
          (br_if $inner (i32.lt_u (local.get $p) (local.get $stop))))
        (local.set $vb (i32x4.add (local.get $vb) (i32x4.shl (local.get $vp) (i32.const 4))))
        (local.set $a (i32.rem_u (i32.add (local.get $a) (i32.add
          (i32.add (i32x4.extract_lane 0 (local.get $va)) (i32x4.extract_lane 1 (local.get $va)))
          (i32.add (i32x4.extract_lane 2 (local.get $va)) (i32x4.extract_lane 3 (local.get $va)))))
          (i32.const 65521)))
        (local.set $b (i32.rem_u (i32.add (local.get $b) (i32.add
          (i32.add (i32x4.extract_lane 0 (local.get $vb)) (i32x4.extract_lane 1 (local.get $vb)))
          (i32.add (i32x4.extract_lane 2 (local.get $vb)) (i32x4.extract_lane 3 (local.get $vb)))))
          (i32.const 65521)))
        (br $outer)))
    (block $done
      (loop $tail
        (br_if $done (i32.ge_u (local.get $p) (local.get $end)))
        (local.set $a (i32.add (local.get $a) (i32.load8_u (local.get $p))))
        (local.set $b (i32.add (local.get $b) (local.get $a)))
        (local.set $p (i32.add (local.get $p) (i32.const 1)))
        (br $tail)))
    (i32.or
      (i32.shl (i32.rem_u (local.get $b) (i32.const 65521)) (i32.const 16))
      (i32.rem_u (local.get $a) (i32.const 65521)))))
