/**
 * log, exp, pow and the normal distribution, computed with + − × ÷ and sqrt alone, which IEEE 754 rounds the same way
 * everywhere. `Math.log` and friends differ in the last bits between Node versions and browsers (DR-3), and the same
 * bytes must come out on all of them, so no other file calls those.
 */

const bits64 = new Float64Array(1);
const bits32 = new Uint32Array(bits64.buffer);
/** Typed arrays are little-endian on every platform that runs V8, SpiderMonkey or JavaScriptCore. */
const HIGH = 1;

const LN2 = 0.6931471805599453;
/** ln 2 split so that k·LN2_HIGH is exact for |k| < 2^20. */
const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;
const SQRT2 = 1.4142135623730951;

/** Natural logarithm, error below 1.5 ulp: 2·atanh((m − 1)/(m + 1)) by its power series after x = m·2^e. */
export function log(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : NaN;
  if (x === Infinity) return Infinity;
  let exponent = 0;
  if (x < 2.2250738585072014e-308) {
    x *= 18014398509481984; // 2^54: lift subnormals
    exponent = -54;
  }
  bits64[0] = x;
  const high = bits32[HIGH];
  exponent += (high >>> 20) - 1023;
  bits32[HIGH] = (high & 0x000fffff) | 0x3ff00000;
  let mantissa = bits64[0];
  if (mantissa > SQRT2) {
    mantissa *= 0.5;
    exponent++;
  }
  const f = mantissa - 1;
  const s = f / (2 + f);
  const z = s * s;
  const series =
    z *
    (1 / 3 +
      z *
        (1 / 5 +
          z *
            (1 / 7 + z * (1 / 9 + z * (1 / 11 + z * (1 / 13 + z * (1 / 15 + z * (1 / 17 + z * (1 / 19 + z / 21)))))))));
  return exponent * LN2_HIGH + (2 * s + (2 * s * series + exponent * LN2_LOW));
}

/** e^x, error below 1.5 ulp: Taylor series on |r| ≤ ln2/2 after x = k·ln2 + r. */
export function exp(x: number): number {
  if (!(x < 709.782712893384)) return x !== x ? NaN : Infinity;
  if (x < -745.1332191019412) return 0;
  const k = Math.floor(x / LN2 + 0.5);
  const r = x - k * LN2_HIGH - k * LN2_LOW;
  const series =
    1 +
    r *
      (1 +
        r *
          (1 / 2 +
            r *
              (1 / 6 +
                r *
                  (1 / 24 +
                    r *
                      (1 / 120 +
                        r *
                          (1 / 720 +
                            r *
                              (1 / 5040 +
                                r *
                                  (1 / 40320 +
                                    r * (1 / 362880 + r * (1 / 3628800 + r * (1 / 39916800 + r / 479001600)))))))))));
  if (k > 1023) return series * 2 * twoTo(k - 1);
  return k < -1022 ? series * twoTo(k + 54) * 5.551115123125783e-17 : series * twoTo(k);
}

/** 2^k for −1022 ≤ k ≤ 1023. */
function twoTo(k: number): number {
  bits32[0] = 0;
  bits32[HIGH] = (k + 1023) << 20;
  return bits64[0];
}

/** x^y for x ≥ 0; whole y up to 1024 by repeated squaring, the rest as exp(y·log x) (relative error about |y·log x|·2^-52). */
export function pow(x: number, y: number): number {
  if (y === Math.floor(y) && y >= 0 && y <= 1024) {
    let result = 1;
    for (let base = x, n = y; n > 0; n = Math.floor(n / 2), base *= base) if (n % 2 === 1) result *= base;
    return result;
  }
  return x === 0 ? 0 : exp(y * log(x));
}

/** Standard normal quantile, relative error about 1e-16 (Wichura 1988, algorithm AS 241, PPND16). ±Infinity at 0 and 1. */
export function normalQuantile(p: number): number {
  const q = p - 0.5;
  if (q >= -0.425 && q <= 0.425) {
    const r = 0.180625 - q * q;
    return (
      (q *
        (((((((2509.0809287301227 * r + 33430.57558358813) * r + 67265.7709270087) * r + 45921.95393154987) * r +
          13731.69376550946) *
          r +
          1971.5909503065513) *
          r +
          133.14166789178438) *
          r +
          3.3871328727963665)) /
      (((((((5226.495278852854 * r + 28729.085735721943) * r + 39307.89580009271) * r + 21213.794301586597) * r +
        5394.196021424751) *
        r +
        687.1870074920579) *
        r +
        42.31333070160091) *
        r +
        1)
    );
  }
  const tail = q < 0 ? p : 1 - p;
  if (!(tail > 0)) return q < 0 ? -Infinity : Infinity;
  let r = Math.sqrt(-log(tail));
  let value: number;
  if (r <= 5) {
    r -= 1.6;
    value =
      (((((((0.0007745450142783414 * r + 0.022723844989269184) * r + 0.2417807251774506) * r + 1.2704582524523684) * r +
        3.6478483247632045) *
        r +
        5.769497221460691) *
        r +
        4.630337846156546) *
        r +
        1.4234371107496835) /
      (((((((1.0507500716444169e-9 * r + 0.0005475938084995345) * r + 0.015198666563616457) * r + 0.14810397642748008) *
        r +
        0.6897673349851) *
        r +
        1.6763848301838038) *
        r +
        2.053191626637759) *
        r +
        1);
  } else {
    r -= 5;
    value =
      (((((((2.0103343992922881e-7 * r + 2.7115555687434876e-5) * r + 0.0012426609473880784) * r +
        0.026532189526576124) *
        r +
        0.29656057182850487) *
        r +
        1.7848265399172913) *
        r +
        5.463784911164114) *
        r +
        6.657904643501103) /
      (((((((2.0442631033899397e-15 * r + 1.421511758316446e-7) * r + 1.8463183175100548e-5) * r +
        0.0007868691311456133) *
        r +
        0.014875361290850615) *
        r +
        0.1369298809227358) *
        r +
        0.599832206555888) *
        r +
        1);
  }
  return q < 0 ? -value : value;
}

/** Standard normal CDF, absolute error below 1e-7·pdf (Abramowitz and Stegun 26.2.17): enough to turn ranks into table look-ups. */
export function normalCdf(x: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(x));
  const tail =
    0.3989422804014327 *
    exp(-0.5 * x * x) *
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return x < 0 ? tail : 1 - tail;
}
