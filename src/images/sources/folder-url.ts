/** The URL of what lies at `path` below a mirror. @param path - Relative, its parts separated by `/`. */
export function below(mirror: string, path: string): URL {
  // A colon, as in the streams' names and LXC's builds, would make a scheme of the first part.
  return new URL(`${mirror.replace(/\/+$/, '')}/${path.replace(/^\/+/, '')}`)
}
