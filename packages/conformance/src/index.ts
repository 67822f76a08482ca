// The door of @zebu/conformance: export from here what other packages may import.
export {};
