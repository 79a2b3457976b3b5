import {mkdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {findProgram} from '../src/host/host.js'
import {capture} from '../src/host/process.js'
import {type Bench, type Invocation, runAsCaller} from './invocation.js'
import type {Absence} from './measure.js'
import {family} from './process-family.js'

/** systemd-nspawn with a tree of this run, booted by root. */
export type Nspawn = {
  /** One invocation, to be timed: boots the tree, and waits until each unit has started or failed. */
  boot(): Invocation
  stop(): Promise<void>
  /** Its process, and all of the guest. */
  processes(): Promise<readonly number[]>
  /** Removes its control group. */
  close(): Promise<void>
}

const NAME = 'systemd-nspawn'

/**
 * Starts $2, a command line of systemd-nspawn, in the control group $0, and writes its process id to $1. Programs before
 * the guest's pid 1 have no bus to ask.
 */
const BOOT = `echo $$ >"$0/cgroup.procs"
pid_file=$1; shift
"$@" </dev/null >"$pid_file.log" 2>&1 &
echo $! >"$pid_file"
while kill -0 $!; do
  init=$(cat /proc/$!/task/$!/children)
  init=\${init% }
  if [ -n "$init" ] && grep -qs '^NSpid:.*[[:space:]]1$' "/proc/$init/status"; then
    case $(nsenter --target "$init" --all -- systemctl is-system-running --wait 2>/dev/null) in running | degraded) exit 0 ;; esac
  fi
  sleep 0.01
done
tail -n 1 "$pid_file.log" >&2
exit 1`

const STOP = 'kill "$0" && tail --pid="$0" --follow /dev/null'

/**
 * Unpacks a tarball for systemd-nspawn, which only root can start: the bench must be run by root.
 *
 * Registers nothing with the host's systemd, which may not be there, and has the guest's control groups below one of this run.
 *
 * @returns The reason, if that does not work.
 */
export async function openNspawn(tarball: string, bench: Bench): Promise<Nspawn | Absence> {
  const absent = (reason: string) => ({name: NAME, reason})
  if (findProgram(NAME, bench.environment['PATH'] ?? '') === undefined) return absent('it is not installed')
  if (process.getuid?.() !== 0) return absent('only root can start it: run as root, with --as USER')
  const hierarchy = /^\S+ (?<folder>\S+) cgroup2 /m.exec(await readFile('/proc/self/mounts', 'utf8'))?.groups
  if (hierarchy?.['folder'] === undefined) return absent('this host has no cgroup2')
  const [tree, pidFile] = [join(bench.folder, 'nspawn'), join(bench.folder, 'nspawn.pid')]
  const group = join(hierarchy['folder'], `envs-bench-${process.pid}`)
  await mkdir(tree)
  await runAsCaller(['tar', '--extract', '--numeric-owner', '--file', tarball, '--directory', tree], bench)
  await mkdir(group)
  const words = [NAME, '--quiet', '--boot', '--register=no', '--keep-unit', '--console=pipe']
  const pid = async () => Number(await readFile(pidFile, 'utf8'))
  const nspawn: Nspawn = {
    boot: () => ({
      argv: ['sh', '-ec', BOOT, group, pidFile, ...words, '--machine=envs-bench', `--directory=${tree}`],
      // The guest uses cgroup2 alone, also on a host with both versions.
      variables: {SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1'},
      asCaller: true,
    }),
    async stop() {
      await capture(['sh', '-c', STOP, String(await pid())])
    },
    processes: async () => family(await pid()),
    async close() {
      await capture(['find', group, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';'])
    },
  }
  return nspawn
}
