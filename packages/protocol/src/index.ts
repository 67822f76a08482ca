// The door of @zebu/protocol: export from here what other packages may import.
export {};
