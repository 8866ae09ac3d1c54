import { type DispatchPlugin, firstOpen } from "./policy.ts";

export const ordered: DispatchPlugin = {
  name: "ordered",
  doc: "The targets in the route's order: a primary with fallbacks, own pools first or an API first. A target that is full, limited, failing or shut is passed over at once.",
  options: {},
  create: () => ({ pick: firstOpen }),
};
