import { EXIT, StartupError } from "@subnet-worker/kit";
import { type Handler, loadHandlerModules, WepError } from "@subnet-worker/wep-sdk";

/**
 * Imports modules into this process and collects the handlers they export.
 *
 * @param paths absolute
 * @throws {StartupError} with exit code 78, naming the file and what to do
 */
export async function loadHandlers(paths: readonly string[]): Promise<Handler[]> {
  try {
    return await loadHandlerModules(paths);
  } catch (error) {
    if (!(error instanceof WepError)) throw error;
    throw new StartupError(EXIT.badConfig, error.message, { cause: error });
  }
}
