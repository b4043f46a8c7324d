import { recoverAddress, SigningKey, Transaction, verifyAuthorization, ZeroAddress } from "ethers";
import { describe, expect, it } from "vitest";
import { createLocalSigner, createSigner } from "./signer.ts";

const KEY = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
const ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const EXECUTOR = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
const REQUEST = {
  nonce: 7,
  to: `0x${"c0".repeat(20)}`,
  data: "0xc1a1",
  gasLimit: 65_000n,
  fees: { maxFeePerGasWei: 21n * 10n ** 9n, maxPriorityFeePerGasWei: 10n ** 9n },
};
const GAS_PRICE_WEI = 3n * 10n ** 9n;
const LEGACY_FEES = {
  maxFeePerGasWei: GAS_PRICE_WEI,
  maxPriorityFeePerGasWei: GAS_PRICE_WEI,
  isLegacy: true,
};

describe("a local signer", () => {
  it.each([KEY, `0x${KEY}`, `0x${KEY.toUpperCase()}`])("has the address of its key", (key) => {
    expect(createLocalSigner(key, 31_337n).address).toBe(ADDRESS);
  });

  it("signs a transaction that says what was asked for, by this wallet on this chain", async () => {
    const { raw, txHash } = await createLocalSigner(KEY, 31_337n).sign(REQUEST);
    const tx = Transaction.from(raw);
    expect(tx).toMatchObject({
      type: 2,
      chainId: 31_337n,
      nonce: 7,
      data: "0xc1a1",
      gasLimit: 65_000n,
      maxFeePerGas: 21n * 10n ** 9n,
      maxPriorityFeePerGas: 10n ** 9n,
      value: 0n,
      from: ADDRESS,
    });
    expect(tx.hash).toBe(txHash);
  });

  it("signs type 0 for this chain only where the fees are legacy ones", async () => {
    const { raw, txHash } = await createLocalSigner(KEY, 31_337n).sign({ ...REQUEST, fees: LEGACY_FEES });
    const tx = Transaction.from(raw);
    expect(tx).toMatchObject({
      type: 0,
      chainId: 31_337n,
      gasPrice: LEGACY_FEES.maxFeePerGasWei,
      nonce: 7,
      from: ADDRESS,
    });
    expect(tx.hash).toBe(txHash);
  });

  it("signs type 4 around an authorization that recovers to this wallet, for this chain", async () => {
    const signer = createLocalSigner(KEY, 31_337n);
    const authorization = await signer.authorize({ contract: EXECUTOR, nonce: 8 });
    const { raw, txHash } = await signer.sign({ ...REQUEST, authorization });
    const tx = Transaction.from(raw);
    expect(tx).toMatchObject({ type: 4, nonce: 7, from: ADDRESS, hash: txHash });
    expect(tx.authorizationList).toHaveLength(1);
    for (const signed of tx.authorizationList ?? []) {
      expect(signed).toMatchObject({ address: EXECUTOR, nonce: 8n, chainId: 31_337n });
      expect(verifyAuthorization(signed, signed.signature)).toBe(ADDRESS);
    }
  });

  it("authorizes the zero address, which takes a delegation back", async () => {
    const authorization = await createLocalSigner(KEY, 1n).authorize({ contract: ZeroAddress, nonce: 0 });
    const claim = { address: ZeroAddress, nonce: 0, chainId: 1 };
    expect(authorization.signature).toMatch(/^0x[0-9a-f]{130}$/);
    expect(verifyAuthorization(claim, authorization.signature)).toBe(ADDRESS);
    expect(verifyAuthorization({ ...claim, chainId: 2 }, authorization.signature)).not.toBe(ADDRESS);
  });

  it.each([
    ["type 0", { ...REQUEST, fees: LEGACY_FEES }],
    ["type 2", REQUEST],
  ])("signs %s again on other terms as if it had been asked for them at once", async (_, request) => {
    const signer = createLocalSigner(KEY, 31_337n);
    const fees = { ...request.fees, maxFeePerGasWei: 99n * 10n ** 9n };
    const { raw } = await signer.sign(request);
    const again = await signer.resign(raw, { fees, gasLimit: 80_000n });
    expect(again).toEqual(await signer.sign({ ...request, fees, gasLimit: 80_000n }));
  });

  it("signs type 4 again with the same authorization", async () => {
    const signer = createLocalSigner(KEY, 31_337n);
    const authorization = await signer.authorize({ contract: EXECUTOR, nonce: 8 });
    const request = { ...REQUEST, authorization };
    const fees = { maxFeePerGasWei: 99n * 10n ** 9n, maxPriorityFeePerGasWei: 2n * 10n ** 9n };
    const again = await signer.resign((await signer.sign(request)).raw, { fees, gasLimit: 80_000n });
    expect(again).toEqual(await signer.sign({ ...request, fees, gasLimit: 80_000n }));
  });

  it("gives the same bytes for the same request, so that a resend is one", async () => {
    const signer = createLocalSigner(KEY, 31_337n);
    expect(await signer.sign(REQUEST)).toEqual(await signer.sign(REQUEST));
  });

  it.each(["", "0x", KEY.slice(1), `${KEY}0`, `g${KEY.slice(1)}`, `${KEY}\n`, "0".repeat(64)])(
    "refuses what is no key without repeating it: %j",
    (key) => {
      expect(() => createLocalSigner(key, 1n)).toThrow();
      try {
        createLocalSigner(key, 1n);
      } catch (error) {
        if (key.length > 8) expect(String((error as Error).stack)).not.toContain(key);
      }
    },
  );
});

describe("a signer whose key is elsewhere", () => {
  it("hands out digests only, and makes the same transaction of the answers", async () => {
    const digests: string[] = [];
    const holder = {
      address: ADDRESS,
      // As a KMS answers: later, and in bytes.
      async signDigest(digest: string) {
        digests.push(digest);
        await Promise.resolve();
        return new SigningKey(`0x${KEY}`).sign(digest).serialized;
      },
    };
    const remote = createSigner(holder, 31_337n);
    const local = createLocalSigner(KEY, 31_337n);
    const authorization = await remote.authorize({ contract: EXECUTOR, nonce: 8 });
    expect(authorization).toEqual(await local.authorize({ contract: EXECUTOR, nonce: 8 }));
    const signed = await remote.sign({ ...REQUEST, authorization });
    expect(signed).toEqual(await local.sign({ ...REQUEST, authorization }));
    const { signature } = Transaction.from(signed.raw);
    expect(digests).toHaveLength(2);
    expect(recoverAddress(digests.at(-1) ?? "", signature!)).toBe(ADDRESS);
  });

  it("passes on that the holder of the key does not answer", async () => {
    const holder = {
      address: ADDRESS,
      signDigest: () => Promise.reject(new Error("the KMS is out of reach")),
    };
    await expect(createSigner(holder, 1n).sign(REQUEST)).rejects.toThrow("the KMS is out of reach");
  });
});
