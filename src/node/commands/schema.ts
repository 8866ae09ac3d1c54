/** `crossover schema`: the JSON Schema of an experiment file, for editors. */
import { experimentJsonSchema } from "../../experiment/schema.ts";

export function schemaCommand(out: (text: string) => void): void {
  out(`${JSON.stringify(experimentJsonSchema(), null, 2)}\n`);
}
