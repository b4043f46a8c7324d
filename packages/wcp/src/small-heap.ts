/**
 * Imported before all else for what it does: has the garbage collector look more often and keep less. Left
 * alone it lets a process whose live objects take 40 MB grow to 400, since the machine has the memory; but
 * a node is one of many programs there.
 *
 * The flags are read each time a decision is made, so they work in a process that runs; the sizes that
 * Node takes on its command line do not.
 */
import { setFlagsFromString } from "node:v8";

setFlagsFromString("--semi-space-growth-factor=1");
setFlagsFromString("--optimize-for-size");
setFlagsFromString("--heap-growing-percent=20");
