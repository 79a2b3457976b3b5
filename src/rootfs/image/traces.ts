/** Files that say when, where or for whom a tree was made, or can be made again at any time. */
const TRACES: readonly RegExp[] = [
  /^(?:dev|proc|sys|tmp|var\/tmp)\/./,
  /^run\/envs$/,
  // Its name, its number and its resolver are each environment's own.
  /^etc\/(?:hostname|machine-id|resolv\.conf)$/,
  /^var\/lib\/dbus\/machine-id$/,
  // What keeps services from being started is every environment's, and no image's.
  /^usr\/sbin\/policy-rc\.d$/,
  /^var\/cache\/apt\/(?:[^/]+\.bin|archives\/[^/]+\.deb)$/,
  /^var\/lib\/apt\/lists\/(?!lock$|partial$)./,
  /^var\/cache\/(?:debconf\/[^/]+-old|ldconfig\/aux-cache)$/,
  /^var\/lib\/dpkg\/[^/]+-old$/,
]
const LOG = /^var\/log\/./
const RUNTIME = /^run\/./

/**
 * Whether an entry of a new tree has no place in an image.
 *
 * @param path - Below the root.
 * @param isEmptyFile - Logs that nobody has written to are there for their owners and modes.
 */
export function isTrace(
  path: string,
  {isFolder, isEmptyFile}: {isFolder: boolean; isEmptyFile: boolean},
): boolean {
  if (TRACES.some((trace) => trace.test(path))) return true
  if (LOG.test(path)) return !isFolder && !isEmptyFile
  return RUNTIME.test(path) && !isFolder
}
