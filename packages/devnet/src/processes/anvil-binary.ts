import { createRequire } from "node:module";

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/**
 * The anvil program itself. Its npm package also has a launcher script, but a
 * kill of the launcher would leave the program running.
 *
 * @throws when there is none for this platform
 */
export function anvilBinary(): string {
  const platform = `${process.platform}-${ARCHITECTURES[process.arch] ?? process.arch}`;
  const name = process.platform === "win32" ? "anvil.exe" : "anvil";
  try {
    // The package of the platform is a dependency of the launcher's package, not of this one.
    const launcher = createRequire(import.meta.url).resolve("@foundry-rs/anvil/package.json");
    return createRequire(launcher).resolve(`@foundry-rs/anvil-${platform}/bin/${name}`);
  } catch (cause) {
    throw new Error(`There is no anvil for ${platform}: install again, with optional dependencies allowed.`, {
      cause,
    });
  }
}
