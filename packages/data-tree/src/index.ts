// The door of @zebu/data-tree: export from here what other packages may import.
export {};
