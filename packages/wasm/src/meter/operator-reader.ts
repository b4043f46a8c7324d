import { ByteReader } from "./bytes.ts";
import { ACTION, nameOfRefused, SKIP_BYTES } from "./decode-table.ts";
import type { FunctionType } from "./module-parts.ts";
import { badModule, unsupported } from "./refusals.ts";
import { checkValueType } from "./value-types.ts";

const NO_VALUES: FunctionType = { params: new Uint8Array(), results: new Uint8Array() };

/** Reads what follows operators in code: immediates and types of blocks. */
export class OperatorReader extends ByteReader {
  /** Steps over what follows an operator, by its {@link ACTION}. */
  protected skipImmediates(op: number, action: number): void {
    switch (action) {
      case ACTION.leb:
        this.skipLeb();
        break;
      case ACTION.memarg:
        this.#skipMemarg();
        break;
      case ACTION.bytes:
        this.#skipBytes(op);
        break;
      case ACTION.twoLebs:
        this.skipLeb();
        this.skipLeb();
        break;
      case ACTION.memargLane:
        this.#skipMemarg();
        this.skip(1);
        break;
      case ACTION.types:
        for (let left = this.count(); left > 0; left--) {
          checkValueType(this.u8());
        }
        break;
      default:
        throw unsupported(nameOfRefused(0, op));
    }
  }

  #skipBytes(op: number): void {
    const isType = op === 0xd0;
    if (isType) {
      checkValueType(this.u8());
      return;
    }
    this.skip(SKIP_BYTES[op] as number);
  }

  /** Bit 6 of the alignment says that a memory's index follows. */
  #skipMemarg(): void {
    if ((this.u32() & 0x40) !== 0) {
      this.skipLeb();
    }
    this.skipLeb();
  }

  /** Reads what a block takes and gives; `types` are those of the module. */
  protected blockType(types: readonly FunctionType[]): FunctionType {
    const first = this.bytes[this.pos] as number;
    if (first === 0x40) {
      this.pos++;
      return NO_VALUES;
    }
    if ((first & 0xc0) === 0x40) {
      checkValueType(this.u8());
      return { params: NO_VALUES.params, results: this.bytes.subarray(this.pos - 1, this.pos) };
    }
    if (this.skipNegative()) {
      return NO_VALUES; // in more bytes than one, as V8 takes no other type
    }
    const type = types[this.u32()];
    if (type === undefined) {
      throw badModule(`the block before byte ${this.pos} has no such type`);
    }
    return type;
  }
}
