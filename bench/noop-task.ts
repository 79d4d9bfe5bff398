/** The least that a worker can do. */
export default function noop(): object {
  return {};
}
