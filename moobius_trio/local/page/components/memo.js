// A view that is drawn again only when one of its props is another one: for long lists, of which one
// event changes a single row.

import { Component, h } from "../vendor/preact.js";

export function memo(View) {
  return class extends Component {
    shouldComponentUpdate(next) {
      const names = new Set([...Object.keys(next), ...Object.keys(this.props)]);
      return [...names].some((name) => next[name] !== this.props[name]);
    }

    render() {
      return h(View, this.props);
    }
  };
}
