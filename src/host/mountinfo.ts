/** A mount as this process sees it. */
export type MountEntry = {
  readonly mountPoint: string
  /** Such as `rw`, `nosuid`, `noexec`. */
  readonly options: readonly string[]
  readonly fileSystem: string
}

/**
 * Reads /proc/PID/mountinfo; lines of another shape are left out.
 *
 * @see proc_pid_mountinfo(5): white space and backslashes in names are written as three octal digits.
 */
export function parseMountinfo(text: string): MountEntry[] {
  return text.split('\n').flatMap((line) => {
    const [before, after] = line.split(' - ', 2)
    const [, , , , mountPoint, options] = before?.split(' ') ?? []
    const [fileSystem] = after?.split(' ') ?? []
    if (mountPoint === undefined || options === undefined || fileSystem === undefined) return []
    return [{mountPoint: unescapeOctal(mountPoint), options: options.split(','), fileSystem}]
  })
}

/** The mount that an absolute path lies on: of two on one mount point, the later covers the earlier. */
export function mountOf(path: string, mounts: readonly MountEntry[]): MountEntry | undefined {
  let best: MountEntry | undefined
  for (const mount of mounts) {
    const isLonger = best === undefined || mount.mountPoint.length >= best.mountPoint.length
    if (isLonger && isBelow(path, mount.mountPoint)) best = mount
  }
  return best
}

export function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`)
}

function unescapeOctal(name: string): string {
  return name.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}
