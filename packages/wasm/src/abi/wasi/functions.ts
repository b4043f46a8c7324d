import { clockResGet, clockTimeGet } from "./clocks.ts";
import { ERRNO } from "./errno.ts";
import { type Offer, offer } from "./link-imports.ts";
import { pollOneoff } from "./poll.ts";
import { randomGet } from "./random.ts";
import { fdRead, fdWrite } from "./read-write.ts";
import {
  fdClose,
  fdFdstatGet,
  fdFdstatSetFlags,
  fdFilestatGet,
  fdRenumber,
  type StdioCall,
} from "./stdio.ts";
import { sizesGet, type StringList, stringsGet } from "./string-list.ts";

/** What the functions of a command have of its run. */
export interface CommandCall extends StdioCall {
  readonly args: StringList;
  readonly environment: StringList;
  /** Ends the run; never returns. */
  readonly exit: (code: number) => never;
}

type CommandOffer = Offer<CommandCall>;

/** What makes sense for files only: the error that a pipe gives, and for any other descriptor that it is none. */
function ofFiles(params: string, errno: number, fdIndex = 0): CommandOffer {
  return offer(params, ({ stdio }: CommandCall, ...args: number[]) =>
    stdio.at(args[fdIndex] ?? -1) === undefined ? ERRNO.badf : errno,
  );
}

function always(params: string, errno: number): CommandOffer {
  return offer(params, () => errno);
}

/** All of preview 1, so that every command links; what reaches beyond the run fails. */
export const COMMAND_OFFERS: ReadonlyMap<string, CommandOffer> = new Map<string, CommandOffer>([
  ["args_get", offer("ii", (call: CommandCall, ...to: [number, number]) => stringsGet(call, call.args, to))],
  [
    "args_sizes_get",
    offer("ii", (call: CommandCall, ...to: [number, number]) => sizesGet(call, call.args, to)),
  ],
  [
    "environ_get",
    offer("ii", (call: CommandCall, ...to: [number, number]) => stringsGet(call, call.environment, to)),
  ],
  [
    "environ_sizes_get",
    offer("ii", (call: CommandCall, ...to: [number, number]) => sizesGet(call, call.environment, to)),
  ],
  ["clock_res_get", offer("ii", clockResGet)],
  ["clock_time_get", offer("iIi", clockTimeGet)],
  ["poll_oneoff", offer("iiii", pollOneoff)],
  ["random_get", offer("ii", randomGet)],
  ["sched_yield", always("", ERRNO.success)],
  ["proc_exit", { params: ["i32"], results: [], call: (call, code: number) => call.exit(code >>> 0) }],
  ["proc_raise", always("i", ERRNO.notsup)],

  ["fd_read", offer("iiii", fdRead)],
  ["fd_write", offer("iiii", fdWrite)],
  ["fd_close", offer("i", fdClose)],
  ["fd_renumber", offer("ii", fdRenumber)],
  ["fd_fdstat_get", offer("ii", fdFdstatGet)],
  ["fd_fdstat_set_flags", offer("ii", fdFdstatSetFlags)],
  ["fd_fdstat_set_rights", ofFiles("iII", ERRNO.notsup)],
  ["fd_filestat_get", offer("ii", fdFilestatGet)],
  ["fd_filestat_set_size", ofFiles("iI", ERRNO.inval)],
  ["fd_filestat_set_times", ofFiles("iIIi", ERRNO.inval)],
  ["fd_advise", ofFiles("iIIi", ERRNO.spipe)],
  ["fd_allocate", ofFiles("iII", ERRNO.spipe)],
  ["fd_datasync", ofFiles("i", ERRNO.inval)],
  ["fd_sync", ofFiles("i", ERRNO.inval)],
  ["fd_seek", ofFiles("iIii", ERRNO.spipe)],
  ["fd_tell", ofFiles("ii", ERRNO.spipe)],
  ["fd_pread", ofFiles("iiiIi", ERRNO.spipe)],
  ["fd_pwrite", ofFiles("iiiIi", ERRNO.spipe)],
  ["fd_readdir", ofFiles("iiiIi", ERRNO.notdir)],
  ["fd_prestat_get", ofFiles("ii", ERRNO.notdir)],
  ["fd_prestat_dir_name", ofFiles("iii", ERRNO.notdir)],

  ["path_create_directory", ofFiles("iii", ERRNO.notdir)],
  ["path_filestat_get", ofFiles("iiiii", ERRNO.notdir)],
  ["path_filestat_set_times", ofFiles("iiiiIIi", ERRNO.notdir)],
  ["path_link", ofFiles("iiiiiii", ERRNO.notdir)],
  ["path_open", ofFiles("iiiiiIIii", ERRNO.notdir)],
  ["path_readlink", ofFiles("iiiiii", ERRNO.notdir)],
  ["path_remove_directory", ofFiles("iii", ERRNO.notdir)],
  ["path_rename", ofFiles("iiiiii", ERRNO.notdir)],
  ["path_symlink", ofFiles("iiiii", ERRNO.notdir, 2)],
  ["path_unlink_file", ofFiles("iii", ERRNO.notdir)],

  ["sock_accept", always("iii", ERRNO.notsup)],
  ["sock_recv", always("iiiiii", ERRNO.notsup)],
  ["sock_send", always("iiiii", ERRNO.notsup)],
  ["sock_shutdown", always("ii", ERRNO.notsup)],
]);
