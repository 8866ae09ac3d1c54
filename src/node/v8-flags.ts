/**
 * Lets V8 inline more of the event loop into one piece (DR-12): boxed numbers at calls that are not inlined are the
 * loop's main cost. Import it before the code that is to run fast; results do not depend on it.
 */
import { setFlagsFromString } from "node:v8";

setFlagsFromString("--max-inlined-bytecode-size=1000");
setFlagsFromString("--max-inlined-bytecode-size-cumulative=3000");
