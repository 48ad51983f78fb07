SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  // Swagger's badge asks a server elsewhere.
  validatorUrl: null,
});
