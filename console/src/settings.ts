// What the host has set of its console.

export interface Settings {
  title: string;
  links: { name: string; url: string }[];
  login_url?: string;
}

function read(): Settings {
  const text = document.querySelector('meta[name="floret"]')?.getAttribute("content") ?? "{}";
  return { title: "Floret", links: [], ...(JSON.parse(text) as Partial<Settings>) };
}

export const settings = read();
