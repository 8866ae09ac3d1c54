/** Text in a series' colour, dark enough to read on white (4.5 to 1); fills and lines keep the colour itself. */

const DARKER: Readonly<Record<string, string>> = { "#0d9488": "#0f766e", "#d97706": "#b45309" };

export function ink(color: string): string {
  return DARKER[color] ?? color;
}
