/** Files that depend on the time, place or user of the build, or that can be made again at any time. */
const TRACES: readonly RegExp[] = [
  /^(?:dev|proc|sys|tmp|var\/tmp)\/./,
  /^run\/envs$/,
  // Name, machine id and resolver belong to each environment.
  /^etc\/(?:hostname|machine-id|resolv\.conf)$/,
  /^var\/lib\/dbus\/machine-id$/,
  // Belongs to environments, not to images: it keeps packages from starting services.
  /^usr\/sbin\/policy-rc\.d$/,
  /^var\/cache\/apt\/(?:[^/]+\.bin|archives\/[^/]+\.deb)$/,
  /^var\/lib\/apt\/lists\/(?!lock$|partial$)./,
  /^var\/cache\/(?:debconf\/[^/]+-old|ldconfig\/aux-cache)$/,
  /^var\/lib\/dpkg\/[^/]+-old$/,
]
const LOG = /^var\/log\/./
const RUNTIME = /^run\/./

/**
 * Returns whether an entry of a new tree is removed from an image.
 *
 * @param path - Relative to the root.
 * @param isEmptyFile - Empty logs stay, for their owners and modes.
 */
export function isTrace(
  path: string,
  {isFolder, isEmptyFile}: {isFolder: boolean; isEmptyFile: boolean},
): boolean {
  if (TRACES.some((trace) => trace.test(path))) return true
  if (LOG.test(path)) return !isFolder && !isEmptyFile
  return RUNTIME.test(path) && !isFolder
}
