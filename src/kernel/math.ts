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
const LN2_HIGH = 0.693147180369123816490e0;
const LN2_LOW = 1.90821492927058770002e-10;
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
            (1 / 7 +
              z * (1 / 9 + z * (1 / 11 + z * (1 / 13 + z * (1 / 15 + z * (1 / 17 + z * (1 / 19 + z / 21)))))))));
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
        (((((((2509.0809287301226727 * r + 33430.575583588128105) * r + 67265.770927008700853) * r +
          45921.953931549871457) *
          r +
          13731.693765509461125) *
          r +
          1971.5909503065514427) *
          r +
          133.14166789178437745) *
          r +
          3.387132872796366608)) /
      (((((((5226.495278852854561 * r + 28729.085735721942674) * r + 39307.89580009271061) * r +
        21213.794301586595867) *
        r +
        5394.1960214247511077) *
        r +
        687.1870074920579083) *
        r +
        42.313330701600911252) *
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
      (((((((7.7454501427834140764e-4 * r + 0.0227238449892691845833) * r + 0.24178072517745061177) * r +
        1.27045825245236838258) *
        r +
        3.64784832476320460504) *
        r +
        5.7694972214606914055) *
        r +
        4.6303378461565452959) *
        r +
        1.42343711074968357734) /
      (((((((1.05075007164441684324e-9 * r + 5.475938084995344946e-4) * r + 0.0151986665636164571966) * r +
        0.14810397642748007459) *
        r +
        0.68976733498510000455) *
        r +
        1.6763848301838038494) *
        r +
        2.05319162663775882187) *
        r +
        1);
  } else {
    r -= 5;
    value =
      (((((((2.01033439929228813265e-7 * r + 2.71155556874348757815e-5) * r + 0.0012426609473880784386) * r +
        0.026532189526576123093) *
        r +
        0.29656057182850489123) *
        r +
        1.7848265399172913358) *
        r +
        5.4637849111641143699) *
        r +
        6.6579046435011037772) /
      (((((((2.04426310338993978564e-15 * r + 1.4215117583164458887e-7) * r + 1.8463183175100546818e-5) * r +
        7.868691311456132591e-4) *
        r +
        0.0148753612908506148525) *
        r +
        0.13692988092273580531) *
        r +
        0.59983220655588793769) *
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
